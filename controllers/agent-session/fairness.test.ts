import { resourceOf } from "@rune/crds/kinds/kind";
import { kinds } from "@rune/crds/kinds/kinds";
import { Manager, pods, silentLogger } from "kopf-ts";
import { eventually, FakeApiServer, VirtualClock } from "kopf-ts/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { agentSessions, modelServers } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { agentSession, baseDigest, condition, config, modelServer } from "../testing/objects.ts";
import { register } from "./controller.ts";

/** Two namespaces with a server each; one creates a thousand sessions, the other a single one. */
const crowd = 1000;
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
const sandboxesIn = (namespace: string) => api.all(pods).filter(({ metadata }) => metadata.namespace === namespace).length;
const writesOf = (namespace: string) =>
  api.requests.filter(({ method, path }) => method !== "GET" && path.includes(`/namespaces/${namespace}/`) && !path.endsWith("/events"))
    .length;

it("a namespace's only session gets its sandbox while a thousand of another's wait that were there before it, at a start of the operator", async () => {
  crowdCreates();
  create("quiet", "only");
  await manager.start();
  await eventually(() => sandboxesIn("quiet") === 1, "a sandbox of the quiet namespace");
  expect(writesOf("crowd")).toBeLessThan(fewWrites);
});

it("a session that is created in the midst of another namespace's flood gets its sandbox at once", async () => {
  await manager.start();
  crowdCreates();
  await eventually(() => writesOf("crowd") > 50, "the crowd's first writes");
  const before = writesOf("crowd");
  create("quiet", "only");
  await eventually(() => sandboxesIn("quiet") === 1, "a sandbox of the quiet namespace");
  expect(writesOf("crowd") - before).toBeLessThan(fewWrites);
  expect(writesOf("quiet")).toBeGreaterThan(0);
});
