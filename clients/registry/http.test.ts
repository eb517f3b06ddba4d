import { afterEach, expect, it } from "vitest";
import { inTurn, reset, status, type TestServer, testClock, testServer } from "../testing/http-server.ts";
import { sha256 } from "./digest.ts";
import { isSameOrigin, resolved } from "./origin.ts";
import { type ArtifactFile, ArtifactMissing, Registry, RegistryDenied, RegistryUnavailable } from "./registry.ts";

type Answers = Parameters<typeof inTurn>;
const opened: TestServer[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});
/** A server with a separate port, and so a separate origin. */
const origin = async (...answers: Answers): Promise<TestServer> => {
  const server = await testServer(inTurn(...answers));
  opened.push(server);
  return server;
};
const at = (server: TestServer) => new Registry({ url: server.url, token: "secret", clock: testClock() });
const asked = (server: TestServer) => server.requests.map(({ method }) => method);
const authorizations = (server: TestServer) => server.requests.map(({ headers }) => headers.authorization);

const bytes = Buffer.from("the weights of an adapter");
const digest = sha256(bytes);
const repository = "rune/a";
const [missing, found, created] = [status(404), status(200), status(201)];
const whole = (_: unknown, response: import("node:http").ServerResponse) => void response.end(bytes);
const session = (location = "/upload/1?state=x") => status(202, { location });
const push = (registry: Registry, file: Partial<ArtifactFile> = { bytes }) =>
  registry.push({
    repository,
    artifactType: "t",
    config: {},
    configMediaType: "c",
    files: [{ title: "f", mediaType: "text/plain", ...file }],
  });
/** The file's requests, where the config exists and the manifest is accepted. */
const uploading = async (...answers: Answers) => {
  const server = await origin(found, ...answers, found);
  return { server, registry: at(server), asked: () => asked(server).slice(1, 1 + answers.length) };
};

it.each([301, 302, 303, 307, 308])("fetches a blob from where a %i leads, without the token", async (code) => {
  const store = await origin(whole);
  const server = await origin(status(code, { location: `${store.url}/blob?signature=1` }));
  expect(await at(server).blob(repository, digest, { maxBytes: 100 })).toEqual(bytes);
  expect(store.requests.map(({ method, path }) => [method, path])).toEqual([["GET", "/blob?signature=1"]]);
  expect([authorizations(server), authorizations(store)]).toEqual([["Bearer secret"], [undefined]]);
});

it.each([301, 302, 303, 307, 308])("keeps a HEAD a HEAD, and its token on its own origin, after a %i", async (code) => {
  const server = await origin(status(code, { location: "/elsewhere" }), found);
  expect(await at(server).has(repository, digest)).toBe(true);
  expect([asked(server), authorizations(server)]).toEqual([
    ["HEAD", "HEAD"],
    ["Bearer secret", "Bearer secret"],
  ]);
});

it("uploads to another host where the registry says so, without the token", async () => {
  const store = await origin(created);
  const { registry } = await uploading(missing, session(`${store.url}/put?signature=1`));
  await push(registry);
  expect(store.requests).toMatchObject([{ method: "PUT", path: `/put?signature=1&digest=${encodeURIComponent(digest)}`, body: bytes }]);
  expect(authorizations(store)).toEqual([undefined]);
});

it.each([307, 308])("keeps method and bytes of an upload after a %i", async (code) => {
  const store = await origin(created);
  const { registry } = await uploading(missing, session(), status(code, { location: `${store.url}/put` }));
  await push(registry);
  expect(store.requests).toMatchObject([{ method: "PUT", body: bytes }]);
});

it("tells of a redirect that would turn an upload into a GET", async () => {
  const { registry, asked: seen } = await uploading(missing, status(302, { location: "/login" }));
  await expect(push(registry)).rejects.toThrow(/answered 302 to POST .* set the registry's URL to where it leads/);
  expect(seen()).toEqual(["HEAD", "POST"]);
});

it("ends a loop of redirects", async () => {
  const server = await origin(status(307, { location: "/again" }));
  await expect(at(server).has(repository, digest)).rejects.toThrow(RegistryUnavailable);
  expect(server.requests.length).toBeLessThan(10);
});

it("names another host that refuses, and doesn't blame the token", async () => {
  const store = await origin(status(401));
  const server = await origin(status(308, { location: `${store.url}/v2` }));
  const failure = at(server).blob(repository, digest, { maxBytes: 100 });
  await expect(failure).rejects.toThrow(RegistryDenied);
  await expect(failure).rejects.toThrow(`sends clients on to ${store.url}`);
});

it.each(["http://registry.example/v2/blob", "http://store.example/blob"])("never goes from TLS to plain text: %s", (location) => {
  expect(() => resolved("https://registry.example/v2/x", location)).toThrow("X-Forwarded-Proto");
});

it("may be led from plain text to TLS", () => {
  expect(resolved("http://registry.example/v2/x", "https://registry.example/v2/x")).toBe("https://registry.example/v2/x");
});

it.each([
  ["http://registry:80/v2", "http://REGISTRY/x", true],
  ["https://registry/v2", "https://registry:443/x", true],
  ["http://registry/v2", "https://registry/v2", false],
  ["http://registry:5000/v2", "http://registry:5001/v2", false],
  ["http://registry/v2", "http://registry.example/v2", false],
])("takes scheme, host and port for an origin: %s and %s", (one, other, same) => {
  expect(isSameOrigin(one, other)).toBe(same);
});

it("asks by GET where HEAD isn't known", async () => {
  const server = await origin(status(405), whole);
  expect(await at(server).has(repository, digest)).toBe(true);
  expect(asked(server)).toEqual(["HEAD", "GET"]);
});

it.each([202, 204])("takes a %i for a 201 once the blob is found", async (code) => {
  const { registry, asked: seen } = await uploading(missing, session(), status(code), missing, found);
  await push(registry);
  expect(seen()).toEqual(["HEAD", "POST", "PUT", "HEAD", "HEAD"]);
});

it.each([200, 202, 204])("takes a %i for a manifest's 201 once the manifest is found", async (code) => {
  const server = await origin(found, found, missing, status(code), found);
  await push(at(server));
  expect(asked(server)).toEqual(["HEAD", "HEAD", "HEAD", "PUT", "HEAD"]);
});

it("looks for a blob whose upload broke, and begins the upload again", async () => {
  const { registry, server, asked: seen } = await uploading(missing, session(), reset, missing, session("/upload/2"), created);
  await push(registry);
  expect(seen()).toEqual(["HEAD", "POST", "PUT", "HEAD", "POST", "PUT"]);
  expect(server.requests[6]?.path).toMatch(/^\/upload\/2\?digest=/);
});

it("doesn't send again what arrived although its answer was lost", async () => {
  const { registry, asked: seen } = await uploading(missing, session(), reset, found);
  await push(registry);
  expect(seen()).toEqual(["HEAD", "POST", "PUT", "HEAD"]);
});

const unknown = status(400, {}, '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}');
it.each([
  ["404", missing],
  ["416", status(416)],
  ["BLOB_UPLOAD_UNKNOWN", unknown],
  ["503", status(503)],
])("begins an upload again whose session answers %s", async (_, gone) => {
  const { registry, asked: seen } = await uploading(missing, session(), gone, missing, session("/upload/2"), created);
  await push(registry);
  expect(seen().slice(3)).toEqual(["HEAD", "POST", "PUT"]);
});

it("begins an upload again whose address on another host has expired", async () => {
  const store = await origin(status(403), created);
  const { registry, asked: seen } = await uploading(missing, session(`${store.url}/put?1`), missing, session(`${store.url}/put?2`));
  await push(registry);
  expect([seen(), store.requests.map(({ path }) => path.slice(0, 6))]).toEqual([
    ["HEAD", "POST", "HEAD", "POST"],
    ["/put?1", "/put?2"],
  ]);
});

it.each([missing, status(416), unknown])("begins an upload in parts again whose session is gone between two of them", async (gone) => {
  const large = Buffer.alloc(17 * 1024 * 1024, "x");
  const { registry, server } = await uploading(
    missing,
    session(),
    session("/upload/1?state=y"),
    gone,
    missing,
    session("/upload/2"),
    session("/upload/2?state=y"),
    session("/upload/2?state=z"),
    created,
  );
  await push(registry, { bytes: large });
  expect(asked(server).slice(1, 10)).toEqual(["HEAD", "POST", "PATCH", "PATCH", "HEAD", "POST", "PATCH", "PATCH", "PUT"]);
  expect(server.requests.slice(7, 9).map(({ headers, path }) => [path, headers["content-range"]])).toEqual([
    ["/upload/2", "0-16777215"],
    ["/upload/2?state=y", "16777216-17825791"],
  ]);
});

it("says unavailable, not missing, where sessions are always forgotten", async () => {
  const server = await testServer((seen, response) => (seen.method === "POST" ? session() : missing)(seen, response));
  opened.push(server);
  await expect(push(at(server))).rejects.toThrow(RegistryUnavailable);
  expect(asked(server).filter((method) => method === "POST")).toHaveLength(5);
});

it.each([
  ["session/1?s=2", "/v2/rune/a/blobs/uploads/session/1?s=2&digest="],
  ["/put/1", "/put/1?digest="],
  ["?s=2", "/v2/rune/a/blobs/uploads/?s=2&digest="],
])("reads the Location %s as one of the URL that was asked", async (location, path) => {
  const { registry, server } = await uploading(missing, session(location), created);
  await push(registry);
  expect(server.requests[3]?.path.startsWith(path)).toBe(true);
});

it("reads a relative Location from where a redirect led", async () => {
  const store = await origin(session("one"), created);
  const { registry } = await uploading(missing, status(307, { location: `${store.url}/a/b/` }));
  await push(registry);
  expect(store.requests[1]?.path.startsWith("/a/b/one?digest=")).toBe(true);
});

it("goes on at the same place after a part whose answer names none", async () => {
  const { registry, server } = await uploading(missing, session("/upload/1"), status(202), status(204), created);
  await push(registry, { bytes: Buffer.alloc(17 * 1024 * 1024) });
  expect(server.requests.slice(3, 6).map(({ path }) => path.split("?")[0])).toEqual(["/upload/1", "/upload/1", "/upload/1"]);
});

it("tells of an upload without a Location, and of a repository that takes none", async () => {
  const nowhere = await uploading(missing, status(202));
  await expect(push(nowhere.registry)).rejects.toThrow("without saying where");
  const none = push((await uploading(missing, missing)).registry);
  await expect(none).rejects.toThrow(/takes no uploads to rune\/a/);
  await expect(none).rejects.not.toThrow(ArtifactMissing);
});

it("sends a manifest again whose blobs the registry doesn't see yet", async () => {
  const blobUnknown = status(400, {}, '{"errors":[{"code":"MANIFEST_BLOB_UNKNOWN"}]}');
  const server = await origin(found, found, missing, blobUnknown, missing, missing, missing, created);
  await push(at(server));
  expect(asked(server)).toEqual(["HEAD", "HEAD", "HEAD", "PUT", "HEAD", "PUT", "HEAD", "PUT"]);
});

it.each([400, 403, 409, 412])("takes a tag that it may set only once (%i) for set where it leads to the same manifest", async (code) => {
  const input = { repository, artifactType: "t", config: {}, configMediaType: "c", files: [], tag: "run-1" };
  const manifest = async (registry: TestServer) => {
    await at(registry).push(input);
    return registry.requests.at(-1)?.body ?? Buffer.alloc(0);
  };
  const stored = await manifest(await origin(found, found, created));
  const leadsTo = (body: Buffer) => (_: unknown, response: import("node:http").ServerResponse) => void response.end(body);
  const server = await origin(found, found, status(code), leadsTo(stored));
  await at(server).push(input);
  expect(asked(server)).toEqual(["HEAD", "HEAD", "PUT", "GET"]);
  const taken = await testServer(({ method }, response) => {
    if (method === "PUT") return void response.writeHead(code).end();
    response.end(method === "GET" ? Buffer.from("another manifest") : undefined);
  });
  opened.push(taken);
  await expect(at(taken).push(input)).rejects.toThrow(/run-1/);
});
