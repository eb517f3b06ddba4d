import { importJWK, jwtVerify } from "jose";
import { decode } from "nats-jwt";
import { expect, it } from "vitest";
import { completeKeys, generateKeys } from "./keys.ts";
import { natsUser } from "./nats-users.ts";
import { registryToken } from "./registry-token.ts";

const names = [
  "admin.jwk",
  "admin.jwks",
  "nats-account.jwt",
  "nats-account.seed",
  "nats-auth.conf",
  "nats-operator.jwt",
  "nats-system.jwt",
  "operator.creds",
  "registry-http.secret",
  "registry.jwk",
  "registry.jwks",
];

it("makes every entry of the Secret, and no private key in a public one", async () => {
  const keys = await generateKeys();
  expect(Object.keys(keys).sort()).toEqual(names);
  for (const name of ["registry.jwks", "admin.jwks", "nats-auth.conf"]) expect(keys[name]).not.toMatch(/"d"|SA[A-Z0-9]{56}/);
  expect(JSON.parse(keys["registry.jwks"] ?? "").keys[0].kid).toBe(JSON.parse(keys["registry.jwk"] ?? "").kid);
});

it("changes nothing that is complete, and puts back exactly what is missing", async () => {
  const keys = await generateKeys();
  expect(await completeKeys(keys)).toEqual(keys);
  for (const missing of ["registry.jwks", "admin.jwks", "nats-auth.conf"]) {
    const { [missing]: _, ...rest } = keys;
    expect(await completeKeys(rest)).toEqual(keys);
  }
  const { "admin.jwk": _jwk, "admin.jwks": _jwks, ...rest } = keys;
  const { "admin.jwk": newKey, "admin.jwks": _new, ...same } = await completeKeys(rest);
  expect(same).toEqual(rest);
  expect(newKey).not.toBe(keys["admin.jwk"]);
});

it("gives the registry one secret permanently, since it signs the upload sessions that are open", async () => {
  const { "registry-http.secret": secret, ...older } = await generateKeys();
  expect(secret).toMatch(/^[0-9a-f]{64}$/);
  const completed = await completeKeys(older);
  expect(completed["registry-http.secret"]).toMatch(/^[0-9a-f]{64}$/);
  expect(completed).toMatchObject(older);
  expect(await completeKeys(completed)).toEqual(completed);
});

it("never keeps a public half whose private half is gone", async () => {
  const keys = await generateKeys();
  const { "registry.jwk": _, ...rest } = keys;
  const completed = await completeKeys(rest);
  expect(JSON.parse(completed["registry.jwks"] ?? "").keys[0].kid).toBe(JSON.parse(completed["registry.jwk"] ?? "").kid);
});

it("makes NATS again as a whole when one of its signed parts is gone, so that the parts still fit", async () => {
  const keys = await generateKeys();
  const { "nats-account.seed": _, ...rest } = keys;
  const completed = await completeKeys(rest);
  for (const name of names.filter((each) => each.startsWith("nats-") || each === "operator.creds"))
    expect(completed[name]).not.toBe(keys[name]);
  expect(completed["nats-auth.conf"]).toContain(completed["nats-account.jwt"]);
  expect(completed["registry.jwk"]).toBe(keys["registry.jwk"]);
});

it("signs registry tokens that say who may do what, where, and how long", async () => {
  const keys = await generateKeys();
  const key = JSON.parse(keys["registry.jwk"] ?? "");
  const access = [{ repository: "rune/default/adapters", actions: ["pull" as const] }];
  const token = await registryToken(key, { access, subject: "ModelServer default/tessera", seconds: 60 });
  const publicKey = await importJWK(JSON.parse(keys["registry.jwks"] ?? "").keys[0], "ES256");
  const { payload, protectedHeader } = await jwtVerify(token, publicKey, { audience: "rune-registry", issuer: "rune-operator" });
  expect(protectedHeader).toMatchObject({ alg: "ES256", kid: key.kid });
  expect(payload.access).toEqual([{ type: "repository", name: "rune/default/adapters", actions: ["pull"] }]);
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
  expect(payload.jti).toBeTruthy();
});

it("gives a NATS user its subjects and its end", async () => {
  const keys = await generateKeys();
  const accountSeed = keys["nats-account.seed"] ?? "";
  const creds = await natsUser({ accountSeed, name: "n", publish: ["a"], subscribe: ["b"], seconds: 60, now: 1_000_000 });
  const jwt = /JWT-----\n(\S+)\n/.exec(creds)?.[1] ?? "";
  expect(decode(jwt)).toMatchObject({ name: "n", exp: 1060, nats: { pub: { allow: ["a"] }, sub: { allow: ["b"] } } });
});
