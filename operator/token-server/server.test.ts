import { once } from "node:events";
import { request } from "node:http";
import { testClock } from "@rune/clients/testing/http-server";
import { decodeJwt } from "jose";
import { afterEach, beforeEach, expect, it } from "vitest";
import { generateSigningKey } from "../credentials/keys.ts";
import { type Known, tokenServerWorld } from "../testing/token-server.ts";

const service = "rune-registry";
const tasks = "repository:rune/team/tasks:pull,push";
let tokens: Record<string, Known>;
let world: Awaited<ReturnType<typeof tokenServerWorld>>;
let clock: ReturnType<typeof testClock>;

beforeEach(async () => {
  tokens = {
    "edit-token": { user: { username: "ann", groups: ["devs"], uid: "u1", extra: { scopes: ["x"] } }, may: ["get team", "create team"] },
    "view-token": { user: { username: "system:serviceaccount:team:viewer" }, audience: service, may: ["get team"] },
    "admin-token": { user: { username: "admin" }, may: ["get", "create"] },
  };
  clock = testClock();
  world = await tokenServerWorld({ key: await generateSigningKey(), tokens, clock });
});
afterEach(() => world.stop());

const basic = (token: string, user = "anybody") => ({ authorization: `Basic ${Buffer.from(`${user}:${token}`).toString("base64")}` });
async function get(scopes: string[], headers: Record<string, string> = {}, named = service) {
  const query = new URLSearchParams({ service: named });
  for (const scope of scopes) query.append("scope", scope);
  return await fetch(`${world.url}?${query}`, { headers });
}
async function granted(response: Response): Promise<unknown> {
  expect(response.status).toBe(200);
  const { token } = (await response.json()) as { token: string };
  return decodeJwt(token).access;
}
const asked = (kind: string) => world.api.requests.filter(({ path }) => path.endsWith(`/${kind}`)).map(({ body }) => JSON.parse(body).spec);

it("who may edit pulls and pushes, and who may view pulls", async () => {
  expect(await granted(await get([tasks], basic("edit-token")))).toEqual([
    { type: "repository", name: "rune/team/tasks", actions: ["pull", "push"] },
  ]);
  expect(await granted(await get([tasks], basic("view-token")))).toEqual([
    { type: "repository", name: "rune/team/tasks", actions: ["pull"] },
  ]);
});

it("scopes that aren't allowed are left out, the others stay", async () => {
  const scopes = ["repository:rune/other/tasks:pull", "repository:rune/team/adapters:pull,push", "repository:rune/models/m:pull"];
  expect(await granted(await get(scopes, basic("edit-token")))).toEqual([
    { type: "repository", name: "rune/team/adapters", actions: ["pull"] },
  ]);
  expect(await granted(await get(scopes, basic("admin-token")))).toEqual([
    { type: "repository", name: "rune/other/tasks", actions: ["pull"] },
    { type: "repository", name: "rune/team/adapters", actions: ["pull"] },
    { type: "repository", name: "rune/models/m", actions: ["pull"] },
  ]);
});

it("the answer is the one of Distribution's specification, for five minutes, in the name of anyone who asked", async () => {
  const response = await get([tasks], basic("edit-token"));
  expect(response.headers.get("cache-control")).toBe("no-store");
  const body = (await response.json()) as Record<string, string>;
  expect(body).toEqual({
    token: expect.any(String),
    access_token: body.token,
    scope: tasks,
    expires_in: 300,
    issued_at: new Date(clock.now()).toISOString(),
  });
  const claims = decodeJwt(body.token ?? "");
  expect(claims).toMatchObject({ sub: "ann", aud: service, iss: "rune-operator" });
  expect((claims.exp ?? 0) - (claims.iat ?? 0)).toBe(300);
});

it("a login asks for nothing and learns that the token is good", async () => {
  expect(await granted(await get([], basic("view-token")))).toEqual([]);
  expect(asked("subjectaccessreviews")).toEqual([]);
});

it.each([
  ["nothing", {}],
  ["an unknown token", basic("stolen-token")],
  ["a token for somebody else", basic("elsewhere-token")],
  ["no password", basic("")],
  ["something else than Basic", { authorization: "Bearer edit-token" }],
])("who shows %s is unauthorized", async (_, headers) => {
  tokens["elsewhere-token"] = { user: { username: "vault" }, audience: "vault", may: ["get", "create"] };
  const response = await get([tasks], headers);
  expect(response.status).toBe(401);
  expect(response.headers.get("www-authenticate")).toBe(`Basic realm="${service}"`);
  expect(await response.json()).toMatchObject({ errors: [{ code: "UNAUTHORIZED" }] });
});

it("the API server is asked about the very user that it named", async () => {
  await get([tasks], basic("edit-token"));
  const about = { user: "ann", uid: "u1", groups: ["devs"], extra: { scopes: ["x"] } };
  const artifacts = { group: "rune.dev", resource: "artifacts", namespace: "team" };
  expect(asked("subjectaccessreviews")).toEqual([
    { ...about, resourceAttributes: { ...artifacts, verb: "get" } },
    { ...about, resourceAttributes: { ...artifacts, verb: "create" } },
  ]);
});

it("clients that speak OAuth 2 post a form, with a password or what they call an identity token", async () => {
  const post = (form: Record<string, string>) => fetch(world.url, { method: "POST", body: new URLSearchParams(form) });
  const common = { service, scope: `${tasks} repository:rune/team/corpora:pull`, client_id: "test" };
  const password = { grant_type: "password", username: "x", password: "edit-token", ...common };
  expect(await granted(await post(password))).toHaveLength(2);
  expect(await granted(await post({ grant_type: "refresh_token", refresh_token: "edit-token", ...common }))).toHaveLength(2);
  expect((await post({ ...password, password: "stolen-token" })).status).toBe(401);
  expect((await post({ ...password, grant_type: "client_credentials" })).status).toBe(400);
  expect((await post({ ...password, username: "x".repeat(70_000) })).status).toBe(400);
});

it("a token is looked up once in a few seconds, good or bad, and no longer", async () => {
  for (const token of ["view-token", "view-token", "stolen-token", "stolen-token"]) await get([], basic(token));
  expect(asked("tokenreviews")).toHaveLength(3);
  delete tokens["view-token"];
  await clock.wait(10_001);
  expect((await get([], basic("view-token"))).status).toBe(401);
});

it("what somebody may do is asked again each time", async () => {
  await get([tasks], basic("edit-token"));
  tokens["edit-token"]!.may = ["get team"];
  expect(await granted(await get([tasks], basic("edit-token")))).toMatchObject([{ actions: ["pull"] }]);
});

it("while the API server can't be asked nobody is let in and nobody is told to log in again", async () => {
  const isReview = ({ path }: { path: string }) => path.endsWith("reviews");
  world.api.inject({ match: isReview, action: { do: "refuse", status: 500 } });
  const response = await get([tasks], basic("edit-token"));
  expect(response.status).toBe(503);
  expect(response.headers.get("retry-after")).toBe("5");
  expect((await get([tasks], basic("edit-token"))).status).toBe(200);
});

it("what isn't the token endpoint, or for another service, is refused", async () => {
  expect((await fetch(new URL("/", world.url))).status).toBe(404);
  expect((await fetch(world.url.replace("/token", "//"))).status).toBe(404);
  expect((await fetch(world.url, { method: "DELETE" })).status).toBe(405);
  expect((await get([tasks], basic("edit-token"), "elsewhere")).status).toBe(400);
  const many = Array.from({ length: 11 }, (_, n) => `repository:rune/team/bases/b${n}:pull`);
  expect((await get(many, basic("edit-token"))).status).toBe(400);
});

it("too many requests at once are sent away", async () => {
  let open = () => {};
  const until = new Promise<void>((resolve) => {
    open = resolve;
  });
  world.api.inject({ times: 100, action: { do: "hold", until } });
  const waiting = Array.from({ length: 32 }, (_, n) => get([], basic(`view-token-${n}`)));
  await expect.poll(() => world.api.requests.length).toBe(32);
  expect((await get([], basic("view-token"))).status).toBe(503);
  open();
  await Promise.all(waiting);
  expect((await get([], basic("view-token"))).status).toBe(200);
});

it("forms that are never sent whole keep nobody waiting", async () => {
  const headers = { expect: "100-continue", "content-length": "100" };
  const half = Array.from({ length: 40 }, () => request(world.url, { method: "POST", headers }));
  try {
    const begun = half.map((each) =>
      once(
        each.on("error", () => undefined),
        "continue",
      ),
    );
    for (const each of half) each.flushHeaders();
    await Promise.all(begun);
    expect((await get([], basic("view-token"))).status).toBe(200);
  } finally {
    for (const each of half) each.destroy();
  }
});

it("the log says who may push where, and no token", async () => {
  await get([tasks], basic("edit-token"));
  await get([tasks], basic("stolen-token"));
  world.api.inject({ action: { do: "refuse", status: 500 } });
  await get([tasks], basic("other-token"));
  const log = world.log.map((line) => JSON.parse(line));
  expect(log).toMatchObject([
    { level: "info", user: "ann", access: ["rune/team/tasks:pull,push"] },
    { level: "warn", reason: "ApiError" },
  ]);
  expect(world.log.join("\n")).not.toMatch(/edit-token|stolen-token|other-token/);
});
