import { secrets } from "kopf-ts";
import { FakeApiServer } from "kopf-ts/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { ensureKeys } from "./secret.ts";

const at = { namespace: "rune-system", name: "rune-keys" };
let api: FakeApiServer;

beforeEach(async () => {
  api = await FakeApiServer.start();
});
afterEach(() => api.stop());

const stored = () => api.find(secrets, at)?.data as Record<string, string>;

it("makes the keys once and hands out the same ever after", async () => {
  const first = await ensureKeys(api.client(), at);
  expect(Object.keys(first).sort()).toEqual(
    [
      ...["admin.jwk", "admin.jwks", "nats-account.jwt", "nats-account.seed", "nats-auth.conf", "nats-operator.jwt"],
      ...["nats-system.jwt", "operator.creds", "registry-http.secret", "registry.jwk", "registry.jwks"],
    ].sort(),
  );
  expect(await ensureKeys(api.client(), at)).toEqual(first);
});

it("adds what is missing and replaces nothing that is there", async () => {
  const { "admin.jwk": admin, "operator.creds": creds } = await ensureKeys(api.client(), at);
  const { "admin.jwks": _lost, ...rest } = stored();
  api.put(secrets, { apiVersion: "v1", kind: "Secret", metadata: api.find(secrets, at)?.metadata ?? at, data: rest } as never);
  const completed = await ensureKeys(api.client(), at);
  expect(completed).toMatchObject({ "admin.jwk": admin, "operator.creds": creds });
  expect(stored()["admin.jwks"]).toBeDefined();
});

it("replicas that start at once agree on one set", async () => {
  const [first, second, third] = await Promise.all([1, 2, 3].map(() => ensureKeys(api.client(), at)));
  expect(second).toEqual(first);
  expect(third).toEqual(first);
});
