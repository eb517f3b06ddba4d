import { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import { type AgentSession, agentSession } from "@rune/crds/kinds/agent-session";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import { apiVersion } from "@rune/crds/words/group";
import { type Condition, getCondition, isControlledBy, isTrue, type KubeObject } from "kopf-ts";
import type { FakeApiServer } from "kopf-ts/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { agentSessions, modelServers, trainingRuns } from "../shared/resources.ts";
import { servicesAfter } from "../testing/ended-agent.ts";
import { Interrupted, type Story, strikes } from "../testing/interrupted.ts";
import { baseDigest, condition, metadata, modelServer } from "../testing/objects.ts";
import { register } from "./controller.ts";

/**
 * From a log that ends solved to the result of learning, interrupted after each write, before or after it is applied.
 */
const task = { id: "t", description: "d", tests: "assert f() == 1", entryPoint: "f" };
const learn = { policy: "Generate" as const, hypernetwork: { run: "houses" } };
const session = {
  apiVersion,
  kind: "AgentSession",
  metadata: metadata("widest"),
  spec: agentSession.spec.parse({ task, scope: { project: "tessera" }, serverRef: { name: "coder" }, learn }),
  status: { startTime: "2026-11-23T11:59:00Z", epoch: 1, adapter: { reason: "NoneRelevant", message: "" } },
};
const records: LogRecord[] = [
  { type: "ended", n: 1, epoch: 1, time: "2026-11-23T11:59:30Z", outcome: "Solved", message: "a program passed" },
];

let registry: MemoryRegistry;
beforeAll(async () => {
  registry = await MemoryRegistry.start();
});
afterAll(() => registry.stop());

let story: Interrupted | undefined;
afterEach(() => story?.stop());

const services = servicesAfter(records, () => registry);

const find = (api: FakeApiServer) => api.find(agentSessions, { namespace: "default", name: "widest" }) as AgentSession;
const learnt = (api: FakeApiServer) => getCondition(find(api), ConditionType.Learnt);

/** Ends the run as its own controller would (which has a test of this kind too), once the session refers to it. */
const ending = (conditions: Condition[], status: object = {}): Story => ({
  register: (manager) => register(manager, services),
  begin(api) {
    api.put(modelServers, { ...modelServer("coder"), status: { baseDigest, conditions: [condition("Ready")] } });
    api.put(agentSessions, session);
  },
  proceed({ api }) {
    const [run] = api.all<TrainingRun & KubeObject>(trainingRuns);
    if (run && !run.status && learnt(api)?.reason === "Learning") api.put(trainingRuns, { ...run, status: { ...status, conditions } });
  },
  subject: find,
  isTidy: (api) => ["True", "False"].includes(learnt(api)?.status ?? ""),
  made: [trainingRuns],
});

const succeeds = ending([condition("Ready"), condition("Succeeded")], { adapter: "widest-1" });

/** How the session ended, with its one run. */
function expectOneRun({ api, made }: Interrupted): void {
  const [run] = api.all(trainingRuns);
  expect(made).toEqual({ TrainingRun: 1 });
  expect(run && isControlledBy(run, find(api))).toBe(true);
  expect(isTrue(find(api), "Succeeded")).toBe(true);
  expect(find(api).status).toMatchObject({ outcome: "Solved", trainingRun: run?.metadata.name });
}

const writes = 5;

describe("a session whose adapter is generated", () => {
  it("starts one run, and says which Adapter came of it", async () => {
    story = await Interrupted.run(succeeds);
    expectOneRun(story);
    expect(learnt(story.api)).toMatchObject({ status: "True", message: expect.stringContaining("made the Adapter widest-1") });
    expect(story.writes, "more wouldn't be struck").toBe(writes);
  });

  it.each(strikes(writes))("starts no second one and loses none, killed %s write %i", async (_, __, strike) => {
    story = await Interrupted.run(succeeds, strike);
    expectOneRun(story);
    expect(learnt(story.api)?.status).toBe("True");
    expect(story.api.faultsLeft).toBe(0);
  });

  it("keeps its outcome where the run fails, and says so", async () => {
    story = await Interrupted.run(ending([{ ...condition("Failed"), reason: "Collapsed", message: "why" }]));
    expectOneRun(story);
    expect(learnt(story.api)).toMatchObject({ status: "False", reason: "Collapsed", message: expect.stringMatching(/failed: why$/) });
  });
});
