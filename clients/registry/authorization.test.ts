import { afterEach, expect, it } from "vitest";
import { type Seen, type TestServer, testClock, testServer } from "../testing/http-server.ts";
import { challengeOf } from "./challenge.ts";
import { sha256 } from "./digest.ts";
import { Registry, RegistryDenied } from "./registry.ts";

const opened: TestServer[] = [];
afterEach(async () => {
  for (const server of opened.splice(0)) await server.close();
});
const open = async (handler: Parameters<typeof testServer>[0]): Promise<TestServer> => {
  const server = await testServer(handler);
  opened.push(server);
  return server;
};

const bytes = Buffer.from("the weights of an adapter");
const digest = sha256(bytes);
const repository = "rune/team/adapters";
const basic = `Basic ${Buffer.from("robot:secret").toString("base64")}`;
const login = (server: TestServer, entry: object = { auth: Buffer.from("robot:secret").toString("base64") }) =>
  JSON.stringify({ auths: { [new URL(server.url).host]: entry } });
const at = (server: TestServer, entry?: object, clock = testClock()) =>
  new Registry({ url: server.url, token: login(server, entry), clock });
const seenBy = (server: TestServer) => server.requests.map(({ method, path, headers }) => [method, path, headers.authorization]);

/** A fake token server: gives `<scope>#<how many>` for the right login, and says how long it lives. */
async function tokenServer(answer: { expires_in?: number; field?: string } = { expires_in: 300 }): Promise<TestServer> {
  let given = 0;
  return await open(({ method, path, headers, body }, response) => {
    const asked = method === "POST" ? new URLSearchParams(body.toString()) : new URL(path, "http://x").searchParams;
    if (headers.authorization !== basic && asked.get("refresh_token") !== "refresh") return void response.writeHead(401).end();
    const { field = "token", ...more } = answer;
    response.end(JSON.stringify({ [field]: `${asked.get("scope")}#${++given}`, ...more }));
  });
}

/** A registry that wants tokens of this server, as Distribution does; it holds one blob. `wanted`: what it says that a request needs. */
async function bearerRegistry(
  tokens: TestServer,
  wanted?: string,
  accepts = (seen: Seen) => seen.headers.authorization?.startsWith("Bearer "),
  upload?: string,
) {
  return await open((seen, response) => {
    if (accepts(seen)) return void (seen.path === "/v2/" ? response.end("{}") : answerBlob(seen, response, upload));
    const scope = wanted ? `,scope="${wanted}"` : "";
    response.writeHead(401, { "www-authenticate": `Bearer realm="${tokens.url}/token",service="reg"${scope}` }).end();
  });
}
/** With `upload` there are no blobs yet, and each is sent there. */
const answerBlob = ({ method, path }: Seen, response: import("node:http").ServerResponse, upload?: string) => {
  if (upload && method === "HEAD" && path.includes("/blobs/")) return void response.writeHead(404).end();
  const answer =
    method === "POST" ? response.writeHead(202, { location: upload ?? "/v2/x/upload" }) : response.writeHead(method === "PUT" ? 201 : 200);
  answer.end(method === "GET" ? bytes : undefined);
};

it("logs in by Basic where the registry says so, and asks it how only once", async () => {
  const server = await open((seen, response) => {
    if (seen.headers.authorization === basic) return void answerBlob(seen, response);
    response.writeHead(401, { "www-authenticate": 'Basic realm="Registry"' }).end();
  });
  const registry = at(server);
  for (let n = 0; n < 2; n++) expect(await registry.blob(repository, digest, { maxBytes: 100 })).toEqual(bytes);
  const blob = ["GET", `/v2/${repository}/blobs/${digest}`, basic];
  expect(seenBy(server)).toEqual([["GET", "/v2/", undefined], blob, blob]);
});

it("fetches a token for the one repository and only to pull, and uses it until it ends", async () => {
  const tokens = await tokenServer();
  const server = await bearerRegistry(tokens);
  const clock = testClock();
  const registry = at(server, undefined, clock);
  for (let n = 0; n < 2; n++) await registry.blob(repository, digest, { maxBytes: 100 });
  expect(seenBy(tokens)).toEqual([["GET", `/token?service=reg&scope=${encodeURIComponent(`repository:${repository}:pull`)}`, basic]]);
  expect(seenBy(server).at(-1)?.[2]).toBe(`Bearer repository:${repository}:pull#1`);
  await clock.wait(291_000);
  await registry.blob(repository, digest, { maxBytes: 100 });
  expect(seenBy(server).at(-1)?.[2]).toBe(`Bearer repository:${repository}:pull#2`);
});

it("asks for the right to push only where it pushes", async () => {
  const tokens = await tokenServer();
  const server = await bearerRegistry(tokens);
  const files = [{ title: "f", mediaType: "text/plain", bytes }];
  await at(server).push({ repository, tag: "run-1", artifactType: "t", config: {}, configMediaType: "c", files });
  const shown = new Map(seenBy(server).map(([method, , authorization]) => [method, authorization]));
  expect(shown.get("HEAD")).toBe(`Bearer repository:${repository}:pull#1`);
  expect(shown.get("PUT")).toBe(`Bearer repository:${repository}:pull,push#2`);
});

it("asks for the right to push to the repository wherever the registry has put its upload, and names none where there is none", async () => {
  const tokens = await tokenServer();
  const server = await bearerRegistry(tokens, undefined, (seen) => seen.headers.authorization?.startsWith("Bearer "), "/uploads-of-all/1");
  const registry = new Registry({ url: `${server.url}/acme`, token: login(server), clock: testClock() });
  await registry.push({ repository, artifactType: "t", config: {}, configMediaType: "c", files: [{ title: "f", mediaType: "m", bytes }] });
  const uploads = server.requests.filter(({ path }) => path.startsWith("/uploads-of-all/1"));
  expect(uploads.map(({ headers }) => headers.authorization)).toEqual([
    `Bearer repository:acme/${repository}:pull,push#2`,
    `Bearer repository:acme/${repository}:pull,push#2`,
  ]);
  await registry.ping();
  expect(tokens.requests.map(({ path }) => new URL(path, "http://x").searchParams.get("scope"))).toEqual([
    `repository:acme/${repository}:pull`,
    `repository:acme/${repository}:pull,push`,
    null,
  ]);
});

it("asks again, for what the registry names, where its token isn't enough", async () => {
  const tokens = await tokenServer();
  const wide = "repository:acme/rune:pull repository:shared:pull";
  const server = await bearerRegistry(tokens, wide, ({ headers }) => headers.authorization === `Bearer ${wide}#2`);
  expect(await at(server).blob(repository, digest, { maxBytes: 100 })).toEqual(bytes);
});

it("takes a token that ended early for one, and gives up on the second refusal", async () => {
  const tokens = await tokenServer();
  const server = await bearerRegistry(tokens, undefined, () => false);
  await expect(at(server).blob(repository, digest, { maxBytes: 100 })).rejects.toThrow(RegistryDenied);
  expect(tokens.requests).toHaveLength(2);
});

it("reads access_token as well, and exchanges an identity token by a form", async () => {
  const tokens = await tokenServer({ field: "access_token" });
  const server = await bearerRegistry(tokens);
  await at(server, { identitytoken: "refresh" }).blob(repository, digest, { maxBytes: 100 });
  const [asked] = tokens.requests;
  expect(Object.fromEntries(new URLSearchParams(asked?.body.toString()))).toEqual({
    grant_type: "refresh_token",
    client_id: "rune",
    refresh_token: "refresh",
    service: "reg",
    scope: `repository:${repository}:pull`,
  });
});

it("says that the token server refused the login, and where it is", async () => {
  const tokens = await tokenServer();
  const server = await bearerRegistry(tokens);
  const failure = at(server, { username: "robot", password: "old" }).blob(repository, digest, { maxBytes: 100 });
  await expect(failure).rejects.toThrow(`the token server ${tokens.url}/token, which the registry names, refused the login (401)`);
  await expect(failure).rejects.toThrow(RegistryDenied);
});

it("shows neither login nor token to where a blob is redirected, even if that asks for one", async () => {
  const tokens = await tokenServer();
  const store = await open(
    (_, response) => void response.writeHead(401, { "www-authenticate": `Bearer realm="${tokens.url}/store"` }).end(),
  );
  const server = await open(({ path, headers }, response) => {
    if (headers.authorization !== basic) return void response.writeHead(401, { "www-authenticate": "Basic" }).end();
    response.writeHead(path === "/v2/" ? 200 : 307, { location: `${store.url}/blob?signature=1` }).end();
  });
  await expect(at(server).blob(repository, digest, { maxBytes: 100 })).rejects.toThrow(`sends clients on to ${store.url}`);
  expect(seenBy(store)).toEqual([["GET", "/blob?signature=1", undefined]]);
  expect(tokens.requests).toEqual([]);
});

it("follows no redirect of a token server with the login", async () => {
  const elsewhere = await open((_, response) => void response.end('{"token":"stolen"}'));
  const tokens = await open((_, response) => void response.writeHead(307, { location: elsewhere.url }).end());
  const server = await bearerRegistry(tokens);
  await expect(at(server).blob(repository, digest, { maxBytes: 100 })).rejects.toThrow("answered 307 and no token");
  expect(elsewhere.requests).toEqual([]);
});

it("asks a registry that wants nothing as nobody", async () => {
  const server = await open((seen, response) => answerBlob(seen, response));
  await at(server).blob(repository, digest, { maxBytes: 100 });
  expect(seenBy(server).map(([, , authorization]) => authorization)).toEqual([undefined, undefined]);
});

it("puts the path of the registry's address before every repository", async () => {
  const tokens = await tokenServer();
  const server = await bearerRegistry(tokens);
  const registry = new Registry({ url: `${server.url}/acme/`, token: login(server), clock: testClock() });
  await registry.blob(repository, digest, { maxBytes: 100 });
  expect(seenBy(server).at(-1)).toEqual(["GET", `/v2/acme/${repository}/blobs/${digest}`, `Bearer repository:acme/${repository}:pull#1`]);
  await registry.ping();
  expect(seenBy(server).at(-1)?.[1]).toBe("/v2/");
});

it.each([
  [
    'Bearer realm="https://a/t?x=1,2",service="s",scope="r:x:pull,push"',
    { scheme: "Bearer", realm: "https://a/t?x=1,2", service: "s", scope: "r:x:pull,push" },
  ],
  ['Basic realm="ECR", Bearer realm="https://a"', { scheme: "Bearer", realm: "https://a" }],
  [["Basic realm=x", 'bearer Realm="https://a\\"b"'], { scheme: "Bearer", realm: 'https://a"b' }],
  ['Basic realm="https://api.ecr/",service="ecr"', { scheme: "Basic" }],
  ["Bearer", undefined],
  ["Negotiate abc", undefined],
  [undefined, undefined],
])("reads the challenge %s", (header, expected) => {
  expect(challengeOf({ "www-authenticate": header })).toEqual(expected);
});
