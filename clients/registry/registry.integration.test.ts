import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mediaType } from "@rune/crds/contracts/artifact";
import { generateKeys, generateSigningKey } from "@rune/operator/credentials/keys";
import { registryToken } from "@rune/operator/credentials/registry-token";
import type { JWK } from "jose";
import { Agent } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { removeService, type Service, startRegistry } from "../testing/services.ts";
import { sha256 } from "./digest.ts";
import { evidenceTag, readEvidence, storeEvidence } from "./evidence.ts";
import { ArtifactMissing, Registry, RegistryDenied } from "./registry.ts";

const enabled = process.env.RUNE_TEST_SERVICES === "1";
const minutes = 60_000;

describe.runIf(enabled)("the registry client against CNCF Distribution", () => {
  let service: Service;
  let key: JWK;
  const grant = async (repository: string, actions: ("pull" | "push")[], extra: { key?: JWK; now?: number; seconds?: number } = {}) =>
    new Registry({
      url: service.url,
      token: await registryToken(extra.key ?? key, {
        subject: "test",
        seconds: extra.seconds ?? 300,
        access: [{ repository, actions }],
        now: extra.now,
      }),
    });
  const artifact = { artifactType: mediaType.adapter, config: { b: 1, a: [2] }, configMediaType: mediaType.adapter };

  beforeAll(async () => {
    const keys = await generateKeys();
    key = JSON.parse(keys["registry.jwk"] ?? "");
    service = await startRegistry(keys["registry.jwks"] ?? "");
  }, 10 * minutes);
  afterAll(() => removeService(service));

  it("pushes files of every size and gives back the same bytes, and the same digest when pushed again", async () => {
    const directory = await mkdtemp(join(tmpdir(), "rune-push-"));
    const large = randomBytes(40 * 1024 * 1024 + 17);
    await writeFile(join(directory, "large"), large);
    const registry = await grant("rune/default/adapters", ["pull", "push"]);
    const push = {
      ...artifact,
      repository: "rune/default/adapters",
      tag: "run-1",
      files: [
        { title: "small", mediaType: mediaType.adapterFile, bytes: Buffer.from("small") },
        { title: "large", mediaType: mediaType.adapterFile, path: join(directory, "large") },
        { title: "empty", mediaType: mediaType.adapterFile, bytes: Buffer.alloc(0) },
      ],
    };
    const first = await registry.push(push);
    expect(await registry.push({ ...push, files: [...push.files].reverse() })).toEqual(first);
    expect(first.sizeBytes).toBe(large.length + 5);
    expect(await registry.resolveTag("rune/default/adapters", "run-1")).toBe(first.digest);

    const { manifest, sizeBytes } = await registry.manifest("rune/default/adapters", first.digest);
    expect(sizeBytes).toBe(first.sizeBytes);
    expect(manifest.layers.map((layer) => layer.annotations?.["org.opencontainers.image.title"])).toEqual(["empty", "large", "small"]);
    await registry.download("rune/default/adapters", manifest.layers[1]!, join(directory, "deep/copy"));
    expect(sha256(await readFile(join(directory, "deep/copy")))).toBe(sha256(large));
    expect(await registry.json("rune/default/adapters", manifest.config, z.object({ a: z.array(z.number()), b: z.number() }))).toEqual({
      a: [2],
      b: 1,
    });
  });

  /**
   * Pushes a file in three parts; `before` runs once, before the second. Returns the methods from the file's POST on.
   */
  const pushInParts = async (before: () => Promise<unknown>): Promise<string[]> => {
    const methods: string[] = [];
    const repository = "rune/default/adapters";
    const token = await registryToken(key, { subject: "test", seconds: 300, access: [{ repository, actions: ["pull", "push"] }] });
    const registry = new Registry({
      url: service.url,
      dispatcher: new Agent().compose((dispatch) => (options, handler) => {
        methods.push(options.method);
        return dispatch(options, handler);
      }),
      token: async () => {
        if (methods.filter((method) => method === "PATCH").length === 1) await before();
        return token;
      },
    });
    const bytes = randomBytes(40 * 1024 * 1024);
    const { digest } = await registry.push({ ...artifact, repository, files: [{ title: "f", mediaType: mediaType.adapterFile, bytes }] });
    await registry.manifest(repository, digest);
    return methods.slice(methods.indexOf("PATCH") - 1, methods.lastIndexOf("PATCH") + 2);
  };

  it("goes on with an upload after a restart of the registry, whose secret stays", async () => {
    let restarts = 0;
    const methods = await pushInParts(async () => {
      if (restarts++ > 0) return;
      await service.stop();
      await service.start();
    });
    expect(methods).toEqual(["POST", "PATCH", "PATCH", "PATCH", "PUT"]);
  });

  it("begins an upload again whose session the registry has lost", async () => {
    const uploads = join(service.directory, "data/docker/registry/v2/repositories/rune/default/adapters/_uploads");
    const methods = await pushInParts(() => rm(uploads, { recursive: true, force: true }));
    expect(methods.slice(0, 5)).toEqual(["POST", "PATCH", "PATCH", "HEAD", "POST"]);
    expect(methods.slice(-5)).toEqual(["POST", "PATCH", "PATCH", "PATCH", "PUT"]);
  });

  it("says that an artifact or a tag isn't there", async () => {
    const registry = await grant("rune/default/nothing", ["pull"]);
    await expect(registry.manifest("rune/default/nothing", sha256("absent"))).rejects.toThrow(ArtifactMissing);
    expect(await registry.resolveTag("rune/default/nothing", "run-9")).toBeNull();
    await registry.ping();
  });

  it("lets a token pull only where and push only if it says so", async () => {
    const push = { ...artifact, repository: "rune/a/adapters", files: [] };
    const { digest } = await (await grant("rune/a/adapters", ["pull", "push"])).push(push);
    await (await grant("rune/a/adapters", ["pull"])).manifest("rune/a/adapters", digest);
    await expect((await grant("rune/a/adapters", ["pull"])).push({ ...push, config: { other: 1 } })).rejects.toThrow(RegistryDenied);
    await expect((await grant("rune/b/adapters", ["pull", "push"])).manifest("rune/a/adapters", digest)).rejects.toThrow(RegistryDenied);
    await expect(new Registry({ url: service.url }).manifest("rune/a/adapters", digest)).rejects.toThrow(RegistryDenied);
  });

  it("stores evidence once, finds it by its tags, and leaves what was there as it was", async () => {
    const repository = "rune/evidence/adapters";
    const registry = await grant(repository, ["pull", "push"]);
    const adapters = await Promise.all(
      ["one", "other"].map((name) => registry.push({ ...artifact, repository, config: { name }, files: [], tag: `run-${name}` })),
    );
    const evidence = (digest: string, uid: string, time = "2026-03-01T00:00:00Z") => ({
      schema: "rune.dev/evidence/v1" as const,
      kind: "Archival" as const,
      adapter: { name: "tessera", digest },
      by: { kind: "Person" as const, namespace: "evidence", name: "tessera", uid },
      time,
      why: "replaced",
    });
    const files = async () =>
      new Map(
        await Promise.all(
          (await readdir(join(service.directory, "data"), { recursive: true, withFileTypes: true }))
            .filter((each) => each.isFile())
            .map(async (each) => [join(each.parentPath, each.name), sha256(await readFile(join(each.parentPath, each.name)))] as const),
        ),
      );
    const before = await files();
    const uids = ["u1", "u2", "u3"];
    const [one, other] = adapters.map(({ digest }) => digest) as [string, string];
    for (const uid of uids) await storeEvidence(registry, repository, evidence(one, uid));
    const foreign = await storeEvidence(registry, repository, evidence(other, "u1"));
    expect(await storeEvidence(registry, repository, evidence(other, "u1", "2026-03-02T00:00:00Z"))).toEqual(foreign);
    const after = await files();
    for (const [path, digest] of before) expect(after.get(path), path).toBe(digest);

    const found = await readEvidence(await grant(repository, ["pull"]), repository, one);
    expect(found.ignored).toEqual([]);
    expect(found.evidence.map(({ tag }) => tag)).toEqual(uids.map((uid) => evidenceTag(one, "Archival", uid)));
    expect((await readEvidence(registry, repository, other)).evidence).toMatchObject([{ digest: foreign.digest }]);
    const nothing = await grant("rune/nobody/adapters", ["pull"]);
    expect((await readEvidence(nothing, "rune/nobody/adapters", one)).evidence).toEqual([]);
    const elsewhere = await grant("rune/b/adapters", ["pull", "push"]);
    await expect(readEvidence(elsewhere, repository, one)).rejects.toThrow(RegistryDenied);
  }, 60_000);

  it("refuses tokens that have expired or that another key signed", async () => {
    const expired = await grant("rune/a/adapters", ["pull"], { now: Date.now() - 10 * minutes, seconds: 60 });
    await expect(expired.resolveTag("rune/a/adapters", "x")).rejects.toThrow(RegistryDenied);
    const foreign = await grant("rune/a/adapters", ["pull"], { key: await generateSigningKey() });
    await expect(foreign.resolveTag("rune/a/adapters", "x")).rejects.toThrow(RegistryDenied);
  });
});
