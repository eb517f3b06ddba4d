import { afterEach, expect, it } from "vitest";
import { json, reset, status, type TestServer, testServer } from "../testing/http-server.ts";
import { LoaderClient, LoaderDenied, LoaderUnavailable } from "./loader.ts";

let server: TestServer;
afterEach(() => server.close());
const against = async (handler: Parameters<typeof testServer>[0]) => {
  server = await testServer(handler);
  return new LoaderClient({ address: server.url, token: async () => "a token" });
};
const state = { engine: { ready: true, bootID: "1", slots: 4, maxRank: 16 }, adapters: [], wanted: [] };
const request = {
  repository: "rune/a/adapters",
  digest: `sha256:${"a".repeat(64)}`,
  baseDigest: `sha256:${"b".repeat(64)}`,
  rank: 8,
  targetModules: ["q_proj"],
  registryToken: "t",
};

it("sends its token with every call", async () => {
  const client = await against(json(200, state));
  expect(await client.state()).toEqual(state);
  expect(server.requests[0]?.headers.authorization).toBe("Bearer a token");
});

it("puts and deletes an adapter by name, and reads the state also from a refusal", async () => {
  const client = await against(json(409, state));
  expect(await client.load("tessera-1", request)).toEqual(state);
  expect(await client.unload("tessera-1")).toEqual(state);
  expect(server.requests.map(({ method, path }) => `${method} ${path}`)).toEqual(["PUT /adapters/tessera-1", "DELETE /adapters/tessera-1"]);
  expect(JSON.parse(server.requests[0]?.body.toString() ?? "")).toEqual(request);
});

it("says how long to wait when the loader can't do it now", async () => {
  const client = await against(status(503, { "retry-after": "4" }));
  const error = await client.load("a", request).catch((caught) => caught);
  expect(error).toBeInstanceOf(LoaderUnavailable);
  expect(error.retryAfterSeconds).toBe(4);
});

it("tells a refused token from an absent pod and from nonsense", async () => {
  await expect((await against(status(401))).state()).rejects.toThrow(LoaderDenied);
  await server.close();
  await expect((await against(reset)).state()).rejects.toThrow(LoaderUnavailable);
  await server.close();
  await expect((await against(json(200, { nonsense: true }))).state()).rejects.toThrow(LoaderUnavailable);
});
