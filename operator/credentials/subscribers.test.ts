import { secrets } from "kopf-ts";
import { FakeApiServer } from "kopf-ts/testing";
import { decode } from "nats-jwt";
import { afterEach, beforeEach, expect, it } from "vitest";
import { parseConfig } from "../config.ts";
import { completeKeys } from "./keys.ts";
import { ensureSubscribers } from "./subscribers.ts";

const images = ["adapterLoader", "vllm", "trainer", "agent", "evaluator", "sandbox"]
  .map((name) => `  ${name}: { repository: x }`)
  .join("\n");
const config = parseConfig(
  `operatorNamespace: rune-system
images:
${images}
registry: { url: "http://r:5000" }
nats: { url: "nats://n:4222" }
canary: { host: c }
events:
  subscribers:
    - { name: audit, secret: rune-events-audit }
    - { name: team-a, secret: rune-events-team-a, namespace: team-a }
`,
  "config.yaml",
);
const accountSeed = async () => (await completeKeys({}))["nats-account.seed"] ?? "";
let api: FakeApiServer;

beforeEach(async () => {
  api = await FakeApiServer.start();
});
afterEach(() => api.stop());

const entries = (name: string) =>
  Object.fromEntries(
    Object.entries((api.find(secrets, { namespace: "rune-system", name })?.data ?? {}) as Record<string, string>).map(([entry, value]) => [
      entry,
      Buffer.from(value, "base64").toString(),
    ]),
  );
const permissionsOf = (credentials = "") => decode(/NATS USER JWT-----\s+(\S+)/.exec(credentials)?.[1] ?? "").nats as object;

it("each subscriber gets a Secret with its credentials, its own subject and the address, and the same at every start", async () => {
  const seed = await accountSeed();
  const first = await ensureSubscribers(api.client(), config, seed);
  expect(first).toMatchObject([{ name: "audit" }, { name: "team-a", namespace: "team-a" }]);
  expect(new Set(first.map(({ subject }) => subject)).size).toBe(2);
  expect(entries("rune-events-audit")).toMatchObject({ subject: first[0]?.subject, url: "nats://n:4222" });
  expect(await ensureSubscribers(api.client(), config, seed)).toEqual(first);
});

it("a Secret has the new address of NATS, and the subject and credentials that it had", async () => {
  const seed = await accountSeed();
  const first = await ensureSubscribers(api.client(), config, seed);
  const { url: _, ...before } = entries("rune-events-audit");
  const moved = { ...config, nats: { ...config.nats, url: "nats://elsewhere:4222" } };
  expect(await ensureSubscribers(api.client(), moved, seed)).toEqual(first);
  expect(entries("rune-events-audit")).toEqual({ ...before, url: "nats://elsewhere:4222" });
});

it("a subscriber may listen on its own subject and publish nothing, not even a request", async () => {
  const [audit] = await ensureSubscribers(api.client(), config, await accountSeed());
  expect(permissionsOf(entries("rune-events-audit")["nats.creds"])).toMatchObject({
    pub: { deny: [">"] },
    sub: { allow: [audit?.subject] },
  });
});

it("a Secret that is deleted, or that belongs to keys which are gone, is created again with another subject", async () => {
  const seed = await accountSeed();
  const [audit, team] = await ensureSubscribers(api.client(), config, seed);
  api.delete(secrets, { namespace: "rune-system", name: "rune-events-audit" });
  const [another, same] = await ensureSubscribers(api.client(), config, seed);
  expect(another?.subject).not.toBe(audit?.subject);
  expect(same).toEqual(team);
  const [, again] = await ensureSubscribers(api.client(), config, await accountSeed());
  expect(again?.subject).not.toBe(team?.subject);
});
