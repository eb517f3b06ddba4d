import { resourceOf } from "@rune/crds/kinds/kind";
import { kinds } from "@rune/crds/kinds/kinds";
import { Manager, silentLogger } from "kopf-ts";
import { FakeApiServer, VirtualClock } from "kopf-ts/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { agentSessions, modelServers } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { agentSession, baseDigest, condition, config, modelServer } from "../testing/objects.ts";
import { register } from "./controller.ts";

/** Two namespaces with a server each; one creates hundreds of sessions, the other a single one. */
const crowd = 300;
/** Writes of the crowd that may come before the single session has its sandbox: it needs a few passes, and each may meet one in every worker. */
const fewWrites = 100;

const services = {
  config,
  runnerToken: () => "token",
  logs: { readLog: async () => ({ records: [], lastSequence: 0 }) },
  onNotice: () => undefined,
} as unknown as Services;

let api: FakeApiServer;
let manager: Manager;
beforeEach(async () => {
  api = await FakeApiServer.start({ resources: kinds.map(resourceOf) });
  for (const namespace of ["crowd", "quiet"]) {
    const server = modelServer("coder", {
      metadata: { namespace, uid: `server-of-${namespace}` },
      spec: { maxSequences: 256, replicas: 2 },
    });
    api.put(modelServers, { ...server, status: { baseDigest, conditions: [condition("Ready")] } });
  }
  manager = new Manager({ client: api.client(), clock: new VirtualClock("2026-01-01T00:00:01Z"), logger: silentLogger });
  register(manager, services);
});
afterEach(async () => {
  await manager.stop();
  await api.stop();
});

const create = (namespace: string, name: string) =>
  api.put(agentSessions, agentSession(name, { metadata: { namespace, uid: `${namespace}-${name}` } }));
const crowdCreates = () => {
  for (let i = 0; i < crowd; i += 1) create("crowd", `s${i}`);
};
const isWriteIn =
  (namespace: string) =>
  ({ method, path }: { method: string; path: string }) =>
    method !== "GET" && path.includes(`/namespaces/${namespace}/`) && !path.endsWith("/events");
const writesOf = (namespace: string) => api.requests.filter(isWriteIn(namespace)).length;

/** Writes of the crowd before the single session's sandbox was created, once it is. */
async function crowdsWritesBeforeSandbox(): Promise<number> {
  const created = () => api.requests.findIndex(({ method, path }) => method === "POST" && path.endsWith("/namespaces/quiet/pods"));
  await expect.poll(created, { interval: 10, message: "a sandbox in the quiet namespace" }).toBeGreaterThan(-1);
  return api.requests.slice(0, created()).filter(isWriteIn("crowd")).length;
}

it("a namespace's only session gets its sandbox while hundreds of another's wait that were there before it, at a start of the operator", async () => {
  crowdCreates();
  create("quiet", "only");
  await manager.start();
  expect(await crowdsWritesBeforeSandbox()).toBeLessThan(fewWrites);
});

it("a session that is created in the midst of another namespace's flood gets its sandbox at once", async () => {
  await manager.start();
  crowdCreates();
  await expect.poll(() => writesOf("crowd"), { interval: 1 }).toBeGreaterThan(50);
  const before = writesOf("crowd");
  create("quiet", "only");
  expect((await crowdsWritesBeforeSandbox()) - before).toBeLessThan(fewWrites);
});
