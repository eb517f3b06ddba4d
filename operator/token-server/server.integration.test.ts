import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "@rune/clients/clock";
import { Registry } from "@rune/clients/registry/registry";
import { craneIn, removeService, type Service, startRegistry } from "@rune/clients/testing/services";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { JWK } from "jose";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { generateKeys } from "../credentials/keys.ts";
import { registryToken } from "../credentials/registry-token.ts";
import { tokenServerWorld } from "../testing/token-server.ts";

const minutes = 60_000;
/** How crane ends where the registry doesn't permit it. */
const refused = { code: 1, stderr: expect.stringMatching(/unauthorized|denied/i) };
const tokens = {
  editor: { user: { username: "ann" }, may: ["get team", "create team"] },
  viewer: { user: { username: "system:serviceaccount:team:viewer" }, audience: "rune-registry", may: ["get team"] },
};

type Crane = Awaited<ReturnType<typeof craneIn>>;

describe("people at CNCF Distribution, by crane", () => {
  let key: JWK;
  let tokenServer: Awaited<ReturnType<typeof tokenServerWorld>>;
  let service: Service;
  let host: string;
  let directory: string;
  let editor: Crane;
  let viewer: Crane;
  let stranger: Crane;
  let layer: string;
  let other: string;

  beforeAll(async () => {
    const keys = await generateKeys();
    key = JSON.parse(keys["registry.jwk"] ?? "");
    tokenServer = await tokenServerWorld({ key, tokens, clock: systemClock });
    service = await startRegistry(keys["registry.jwks"] ?? "", tokenServer.url);
    host = new URL(service.url).host;
    directory = await mkdtemp(join(tmpdir(), "rune-token-server-"));
    const loggedIn = async (token: string) => {
      const crane = await craneIn(join(directory, token));
      expect(await crane(["auth", "login", host, "-u", "anybody", "-p", token])).toMatchObject({ code: 0 });
      return crane;
    };
    editor = await loggedIn("editor");
    viewer = await loggedIn("viewer");
    stranger = await loggedIn("nobody-knows-this");
    layer = join(directory, "layer.tar");
    other = join(directory, "other.tar");
    await writeFile(layer, Buffer.alloc(1024));
    await writeFile(other, Buffer.alloc(2048));
  }, 30 * minutes);
  afterAll(async () => {
    await removeService(service);
    await tokenServer.stop();
    await rm(directory, { recursive: true, force: true });
  });

  const push = (repository: string, tag = "first", file = layer) => [
    "append",
    "--oci-empty-base",
    "-f",
    file,
    "-t",
    `${host}/${repository}:${tag}`,
  ];

  it("who may edit pushes, and who may view pulls what was pushed", async () => {
    const pushed = await editor(push("rune/team/uploads"));
    expect(pushed).toMatchObject({ code: 0 });
    const digest = pushed.stdout.trim().split("@")[1];
    expect((await viewer(["digest", `${host}/rune/team/uploads:first`])).stdout.trim()).toBe(digest);
    expect(await viewer(["manifest", `${host}/rune/team/uploads@${digest}`])).toMatchObject({ code: 0 });
  });

  it("who may view doesn't push", async () => {
    expect(await viewer(push("rune/team/uploads", "second", other))).toMatchObject(refused);
    // Of a push whose blobs are there already only the manifest is refused. Then crane may report that it could not send
    // its body again, because it doesn't rewind what the first answer had let it read.
    expect(await viewer(push("rune/team/uploads", "third"))).toMatchObject({ code: 1 });
    expect((await editor(["ls", `${host}/rune/team/uploads`])).stdout.trim()).toBe("first");
  });

  it("an unknown token opens nothing, and the client says why", async () => {
    const answer = await stranger(["manifest", `${host}/rune/team/uploads:first`]);
    expect(answer).toMatchObject({ code: 1, stderr: expect.stringContaining("the API server knows nobody by this token") });
  });

  it("nobody moves a tag of Rune's, deletes, or sees another namespace", async () => {
    const repository = "rune/team/adapters";
    const access = [{ repository, actions: ["pull", "push"] as const }];
    const registry = new Registry({ url: service.url, token: () => registryToken(key, { subject: "run", access, seconds: 300 }) });
    const artifact = { artifactType: mediaType.adapter, config: { a: 1 }, configMediaType: mediaType.adapter, files: [] };
    const { digest } = await registry.push({ ...artifact, repository, tag: "run-1" });
    expect((await viewer(["digest", `${host}/${repository}:run-1`])).stdout.trim()).toBe(digest);
    expect(await editor(push(repository, "run-1"))).toMatchObject(refused);
    expect(await registry.resolveTag(repository, "run-1")).toBe(digest);
    expect(await editor(["delete", `${host}/rune/team/uploads:first`])).toMatchObject(refused);
    expect(await editor(push("rune/other/uploads"))).toMatchObject(refused);
    expect(await editor(["ls", `${host}/rune/other/uploads`])).toMatchObject(refused);
    expect(await editor(["catalog", host])).toMatchObject(refused);
  });
});
