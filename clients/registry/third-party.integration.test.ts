import { randomBytes } from "node:crypto";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mediaType } from "@rune/crds/contracts/artifact";
import { generateKeys } from "@rune/operator/credentials/keys";
import { registryToken } from "@rune/operator/credentials/registry-token";
import type { JWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TestServer, testServer } from "../testing/http-server.ts";
import { removeService, type Service, startPasswordRegistry, startPkgRegistry, startRegistry } from "../testing/services.ts";
import { sha256 } from "./digest.ts";
import { evidenceTag, readEvidence, storeEvidence } from "./evidence.ts";
import { Registry, RegistryDenied } from "./registry.ts";

const minutes = 60_000;
const basic = `Basic ${Buffer.from("robot:secret").toString("base64")}`;
/** `robot` with the password `secret`, by bcrypt. */
const htpasswd = "robot:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

/** A fake token server: signs what is asked for with the registry's key, for the right login. */
async function fakeTokenServer(key: JWK): Promise<TestServer> {
  return await testServer(async ({ path, headers }, response) => {
    if (headers.authorization !== basic) return void response.writeHead(401).end();
    const [, name = "", actions = ""] = /^repository:(.*):(.*)$/.exec(new URL(path, "http://x").searchParams.get("scope") ?? "") ?? [];
    const access = [{ repository: name, actions: actions.split(",") as ("pull" | "push")[] }];
    response.end(JSON.stringify({ token: await registryToken(key, { subject: "robot", access, seconds: 300 }), expires_in: 300 }));
  });
}

type Started = { service: Service; stop(): Promise<void> };
const alone = async (starting: Promise<Service>): Promise<Started> => {
  const service = await starting;
  return { service, stop: () => removeService(service) };
};

async function withTokenServer(): Promise<Started> {
  const keys = await generateKeys();
  const tokens = await fakeTokenServer(JSON.parse(keys["registry.jwk"] ?? ""));
  const service = await startRegistry(keys["registry.jwks"] ?? "", `${tokens.url}/token`);
  return { service, stop: async () => void (await Promise.all([removeService(service), tokens.close()])) };
}

describe.each([
  ["CNCF Distribution with htpasswd", () => alone(startPasswordRegistry(htpasswd)), true],
  ["CNCF Distribution with a token server, which is a fake", withTokenServer, true],
  ["pkg/registry of go-containerregistry, which asks for nothing", () => alone(startPkgRegistry()), false],
])("a registry of one's own: %s", (_, start, asks) => {
  let started: Started;
  let directory: string;
  const repository = "acme/rune/team/adapters";
  const at = (password: string, path = "") => {
    const { url } = started.service;
    return new Registry({ url: url + path, token: JSON.stringify({ auths: { [new URL(url).host]: { username: "robot", password } } }) });
  };
  const artifact = { artifactType: mediaType.adapter, config: { a: 1 }, configMediaType: mediaType.adapter };

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), "rune-own-"));
    started = await start();
  }, 30 * minutes);
  afterAll(async () => {
    await started.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it("takes files of several parts and gives back the same bytes, below a path of its own", async () => {
    const bytes = randomBytes(17 * 1024 * 1024 + 5);
    const files = [{ title: "weights", mediaType: mediaType.adapterFile, bytes }];
    const { digest } = await at("secret", "/acme").push({ ...artifact, repository: "rune/team/adapters", files, tag: "run-1" });
    const registry = at("secret");
    expect(await registry.resolveTag(repository, "run-1")).toBe(digest);
    const { manifest } = await registry.manifest(repository, digest);
    await registry.download(repository, manifest.layers[0]!, join(directory, "copy"));
    expect(sha256(await readFile(join(directory, "copy")))).toBe(sha256(bytes));
  });

  it("keeps evidence, found by its tags or its subject", async () => {
    const registry = at("secret");
    const { digest } = await registry.push({ ...artifact, repository, files: [] });
    const evidence = {
      schema: "rune.dev/evidence/v1" as const,
      kind: "Archival" as const,
      adapter: { name: "tessera", digest },
      by: { kind: "Person" as const, namespace: "team", name: "tessera", uid: "u1" },
      time: "2026-03-01T00:00:00Z",
      why: "replaced",
    };
    await storeEvidence(registry, repository, evidence);
    const found = await readEvidence(registry, repository, digest);
    expect(found.ignored).toEqual([]);
    expect(found.evidence).toMatchObject([{ evidence: { why: "replaced" } }]);
    expect(await registry.resolveTag(repository, evidenceTag(digest, "Archival", "u1"))).not.toBeNull();
  });

  it("tells whether a login could delete, and deletes nothing by it", async () => {
    expect(await at("secret").refusesDeletion(repository)).toBe(asks);
    expect(await at("secret").resolveTag(repository, "run-1")).not.toBeNull();
    expect(await at("secret").refusesDeletion("rune/nobody/adapters")).toBe(asks || undefined);
  });

  it.runIf(asks)("refuses a wrong password", async () => {
    await expect(at("wrong").manifest(repository, sha256("absent"))).rejects.toThrow(RegistryDenied);
  });
});
