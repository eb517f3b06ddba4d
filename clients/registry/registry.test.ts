import { mkdtemp, readdir, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, it } from "vitest";
import { z } from "zod";
import { inTurn, json, reset, status, type TestServer, testClock, testServer, truncated } from "../testing/http-server.ts";
import { canonicalJSON, sha256 } from "./digest.ts";
import {
  ArtifactMissing,
  DigestMismatch,
  largestConfig,
  largestTaskSet,
  Registry,
  RegistryDenied,
  RegistryUnavailable,
} from "./registry.ts";

let server: TestServer;
afterEach(() => server.close());
const against = async (...handlers: Parameters<typeof inTurn>) => {
  server = await testServer(inTurn(...handlers));
  const clock = testClock();
  return { registry: new Registry({ url: server.url, token: "token", clock }), clock };
};

const bytes = Buffer.from("the weights of an adapter");
const layer = { mediaType: "application/octet-stream", digest: sha256(bytes), size: bytes.length };
const ok = (body: Uint8Array) => (_: unknown, response: import("node:http").ServerResponse) => void response.end(body);
const manifest = canonicalJSON({ schemaVersion: 2, config: { ...layer, size: 2 }, layers: [layer] });

it("sends the token and hands out a manifest whose bytes have the digest", async () => {
  const { registry } = await against(ok(manifest));
  const found = await registry.manifest("rune/a", sha256(manifest));
  expect(found).toMatchObject({ digest: sha256(manifest), sizeBytes: bytes.length });
  expect(server.requests[0]).toMatchObject({
    path: `/v2/rune/a/manifests/${sha256(manifest)}`,
    headers: { authorization: "Bearer token" },
  });
});

it("reads an index by digest, lists what is in it, and asks for what a tag leads to by either type", async () => {
  const index = canonicalJSON({ schemaVersion: 2, artifactType: "application/x", manifests: [{ ...layer, size: 7 }] });
  const { registry } = await against(ok(index));
  expect(await registry.index("rune/a", sha256(index))).toMatchObject({ manifests: [{ digest: layer.digest }] });
  expect(await registry.resolveTag("rune/a", "run-1")).toBe(sha256(index));
  for (const { headers } of server.requests) expect(headers.accept).toMatch(/manifest\.v1.*index\.v1/);
});

it("takes a manifest for no index, and an index for no manifest", async () => {
  const index = canonicalJSON({ schemaVersion: 2, manifests: [] });
  const { registry } = await against(ok(manifest), ok(index));
  await expect(registry.index("rune/a", sha256(manifest))).rejects.toThrow("is not an OCI image index");
  await expect(registry.manifest("rune/a", sha256(index))).rejects.toThrow("is not an OCI image manifest");
});

it("asks for a fresh token before every request", async () => {
  server = await testServer(ok(bytes));
  let count = 0;
  const registry = new Registry({ url: `${server.url}/`, token: async () => `token ${++count}` });
  await registry.blob("rune/a", layer.digest, { maxBytes: 100 });
  await registry.blob("rune/a", layer.digest, { maxBytes: 100 });
  expect(server.requests.map((request) => request.headers.authorization)).toEqual(["Bearer token 1", "Bearer token 2"]);
});

it("refuses bytes that are not those of the digest, and what is longer than it may be", async () => {
  const { registry } = await against(ok(Buffer.from("something else")));
  await expect(registry.blob("rune/a", layer.digest, { maxBytes: 100 })).rejects.toThrow(DigestMismatch);
  await expect(registry.blob("rune/a", layer.digest, { maxBytes: 3 })).rejects.toThrow(DigestMismatch);
  await expect(registry.manifest("rune/a", sha256("something else"))).rejects.toThrow(DigestMismatch);
});

it.each([
  ["a 500", status(500)],
  ["a 502 with text", status(502, {}, "bad gateway")],
  ["a reset connection", reset],
  ["a body that ends early", truncated(bytes)],
])("tries again after %s", async (_, fault) => {
  const { registry, clock } = await against(fault, fault, ok(bytes));
  expect(await registry.blob("rune/a", layer.digest, { maxBytes: 100 })).toEqual(bytes);
  expect(clock.waits).toHaveLength(2);
});

it("waits as long as a 429 asks", async () => {
  const { registry, clock } = await against(status(429, { "retry-after": "3" }), ok(bytes));
  await registry.blob("rune/a", layer.digest, { maxBytes: 100 });
  expect(clock.waits).toEqual([3125]);
});

it("says unavailable after a bounded number of attempts", async () => {
  const { registry } = await against(status(503));
  await expect(registry.blob("rune/a", layer.digest, { maxBytes: 100 })).rejects.toThrow(RegistryUnavailable);
  expect(server.requests).toHaveLength(5);
});

it("doesn't try again what was denied or isn't there", async () => {
  const { registry } = await against(status(404), status(401), status(403));
  await expect(registry.manifest("rune/a", layer.digest)).rejects.toThrow(ArtifactMissing);
  await expect(registry.manifest("rune/a", layer.digest)).rejects.toThrow(RegistryDenied);
  await expect(registry.resolveTag("rune/a", "t")).rejects.toThrow(RegistryDenied);
  expect(server.requests).toHaveLength(3);
});

it("says whether a blob is there without fetching it, and doesn't take being away for an answer", async () => {
  const { registry } = await against(status(200), status(404), status(503));
  expect(await registry.has("rune/a", layer.digest)).toBe(true);
  expect(await registry.has("rune/a", layer.digest)).toBe(false);
  await expect(registry.has("rune/a", layer.digest)).rejects.toThrow(RegistryUnavailable);
  expect(new Set(server.requests.map(({ method }) => method))).toEqual(new Set(["HEAD"]));
});

it("downloads into place only what is whole and right", async () => {
  const directory = await mkdtemp(join(tmpdir(), "rune-download-"));
  const { registry } = await against(
    truncated(bytes),
    reset,
    status(500),
    ok(bytes),
    ok(Buffer.from("x".repeat(bytes.length))),
    ok(Buffer.alloc(1000)),
  );
  await registry.download("rune/a", layer, join(directory, "sub/file"));
  expect(await readFile(join(directory, "sub/file"))).toEqual(bytes);
  await expect(registry.download("rune/a", layer, join(directory, "other"))).rejects.toThrow(DigestMismatch);
  await expect(registry.download("rune/a", layer, join(directory, "other"))).rejects.toThrow(DigestMismatch);
  expect(await readdir(directory)).toEqual(["sub"]);
  expect(await readdir(join(directory, "sub"))).toEqual(["file"]);
});

it("uploads only what isn't there yet", async () => {
  const { registry } = await against(
    status(200),
    status(404),
    status(202, { location: "/upload/1?state=x" }),
    status(201),
    status(404),
    status(201),
  );
  const files = [{ title: "f", mediaType: "text/plain", bytes }];
  const pushed = await registry.push({ repository: "rune/a", artifactType: "t", config: {}, configMediaType: "c", files });
  expect(server.requests.map((request) => request.method)).toEqual(["HEAD", "HEAD", "POST", "PUT", "HEAD", "PUT"]);
  expect(server.requests[3]?.path).toBe(`/upload/1?state=x&digest=${encodeURIComponent(layer.digest)}`);
  expect(sha256(server.requests[5]?.body ?? "")).toBe(pushed.digest);
});

it("parses a JSON blob by its schema", async () => {
  const blob = canonicalJSON({ a: 1 });
  const { registry } = await against(ok(blob));
  const descriptor = { mediaType: "j", digest: sha256(blob), size: blob.length };
  expect(await registry.json("rune/a", descriptor, z.object({ a: z.number() }))).toEqual({ a: 1 });
  await expect(registry.json("rune/a", descriptor, z.object({ b: z.number() }))).rejects.toThrow(z.ZodError);
});

it("doesn't ask for a JSON blob whose manifest claims more than it may have", async () => {
  const set = canonicalJSON({ a: "x".repeat(largestConfig) });
  const { registry } = await against(ok(set));
  const descriptor = { mediaType: "j", digest: sha256(set), size: set.length };
  const schema = z.object({ a: z.string() });
  const config = registry.json("rune/a", descriptor, schema);
  await expect(config).rejects.toThrow(DigestMismatch);
  await expect(config).rejects.toThrow("is larger than the 1048576 bytes it may have");
  await expect(registry.json("rune/a", { ...descriptor, size: 2 ** 33 }, schema, largestTaskSet)).rejects.toThrow(DigestMismatch);
  expect(server.requests).toEqual([]);
  expect((await registry.json("rune/a", descriptor, schema, largestTaskSet)).a).toHaveLength(largestConfig);
});

async function all(tags: AsyncIterable<string>): Promise<string[]> {
  const found: string[] = [];
  for await (const tag of tags) found.push(tag);
  return found;
}

it("reads tags page by page, as far as they are wanted, by the links that the registry gives", async () => {
  const { registry } = await against(
    json(200, { name: "rune/a", tags: ["b", "c"] }, { link: '</v2/rune/a/tags/list?n=100&last=c>; rel="next"' }),
    json(200, { name: "rune/a", tags: null }, { link: '<http://elsewhere.example/>; rel="prev"' }),
  );
  expect(await all(registry.tags("rune/a", "a"))).toEqual(["b", "c"]);
  expect(server.requests.map(({ path }) => path)).toEqual(["/v2/rune/a/tags/list?n=100&last=a", "/v2/rune/a/tags/list?n=100&last=c"]);
  for await (const tag of registry.tags("rune/a", "a")) if (tag === "b") break;
  expect(server.requests).toHaveLength(3);
});

it("finds no tags where the registry doesn't know the repository, and takes neither being away nor another page for that", async () => {
  const { registry } = await against(status(404), status(401), status(200, {}, "<html>"), status(503));
  expect(await all(registry.tags("rune/a", ""))).toEqual([]);
  await expect(all(registry.tags("rune/a", ""))).rejects.toThrow(RegistryDenied);
  await expect(all(registry.tags("rune/a", ""))).rejects.toThrow("answered no list for the tags of rune/a");
  await expect(all(registry.tags("rune/a", ""))).rejects.toThrow(RegistryUnavailable);
});

it("doesn't follow a list that has no end", async () => {
  const { registry } = await against(json(200, { tags: ["a"] }, { link: "<?n=100&last=a>; rel=next" }));
  await expect(all(registry.tags("rune/a", ""))).rejects.toThrow("don't end after 100 pages");
});

it("tells no referrers from no referrers API", async () => {
  const { registry } = await against(json(200, { schemaVersion: 2, manifests: [] }), status(404));
  expect(await registry.referrers("rune/a", layer.digest, "application/x")).toEqual([]);
  expect(await registry.referrers("rune/a", layer.digest, "application/x")).toBeNull();
  expect(server.requests[0]?.path).toBe(`/v2/rune/a/referrers/${layer.digest}?artifactType=application%2Fx`);
});

it("counts a 401 at the root as a living registry, other pages not", async () => {
  const { registry } = await against(status(401), json(200, {}), status(404));
  await registry.ping();
  await registry.ping();
  await expect(registry.ping()).rejects.toThrow("is this an OCI registry?");
});
