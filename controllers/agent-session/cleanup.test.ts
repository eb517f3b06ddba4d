import { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { Isolation } from "@rune/crds/fields/isolation";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { configMaps, isTrue, jobs, type KubeObject, networkPolicies, pods, type Resource, secrets } from "kopf-ts";
import type { FakeApiServer } from "kopf-ts/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { sandboxObjects } from "../epochs/sandbox.ts";
import { workerObjects } from "../epochs/worker.ts";
import { sandboxName } from "../shared/names.ts";
import { agentSessions, modelServers } from "../shared/resources.ts";
import { servicesAfter } from "../testing/ended-agent.ts";
import { Interrupted, type Story, strikes } from "../testing/interrupted.ts";
import { agentSession, baseDigest, condition, config, digestOf, modelServer } from "../testing/objects.ts";
import { register } from "./controller.ts";

/** The cleanup after a session: from an agent that has just reported its end to the last object, interrupted at every write. */
const candidates = Array.from({ length: 4 }, (_, n) => ({ name: `an-adapter-with-a-rather-long-name-and-a-digest-${n}`, score: "3.125" }));
const passedOver = "an-adapter-with-a-rather-long-name: its Pass@1 is at most 0.30, and the base's 0.31, in the Evaluation held-out; ";
const session = agentSession("widest", {
  spec: { learn: { policy: "WhenSolved" } },
  status: {
    startTime: "2026-11-23T11:59:00Z",
    epoch: 2,
    sandbox: { pod: "widest-s2", podUID: "0a1b2c3d-0000-4000-8000-000000000001", uid: 100_001 },
    losses: { count: 1, time: "2026-11-23T11:59:10Z", progress: 0 },
    adapter: {
      name: candidates[0]?.name,
      digest: digestOf("a"),
      reason: "MostRelevant",
      message: `${candidates[0]?.name} is the most relevant of 12: measured Pass@1 0.538, lower bound 0.429, on 48 tasks of ${digestOf("c")}; 3 passed over: ${passedOver.repeat(2)}`,
      considered: candidates,
    },
  },
});

const isolation: Isolation = {
  verified: true,
  probes: Array.from({ length: 47 }, (_, n) => ({
    name: `create files in scratch directories of the system ${n}`,
    layer: n < 5 ? 1 : 2,
    expected: "Blocked" as const,
    observed: "Blocked" as const,
  })),
};
const at = (n: number) => ({ n, epoch: 2, time: "2026-11-23T11:59:30.123Z" });
const error = `AttributeError: ${"jorana has no 'x'; ".repeat(40)}`;
const records: LogRecord[] = [
  { type: "isolation", ...at(0), isolation },
  { type: "executed", ...at(2), program: "p", execution: { passed: false, outcome: "Error", error, durationSeconds: 1 } },
  { type: "ended", ...at(3), outcome: "Exhausted", message: "Exhausted: 0 of 12 programs passed in 4 rounds" },
];

let registry: MemoryRegistry;
beforeAll(async () => {
  registry = await MemoryRegistry.start();
});
afterAll(() => registry.stop());

let story: Interrupted | undefined;
afterEach(() => story?.stop());

const services = servicesAfter(records, () => registry);

const resources: Record<string, Resource> = {
  NetworkPolicy: networkPolicies,
  Secret: secrets,
  ConfigMap: configMaps,
  Pod: pods,
  Job: jobs,
};
const kindsLeft = (api: FakeApiServer) => Object.fromEntries(Object.entries(resources).map(([kind, each]) => [kind, api.all(each).length]));

type Stored = AgentSession & KubeObject & { metadata: { uid: string } };

/** Everything of one epoch. */
function objectsOf(owner: Stored, epoch: number): KubeObject[] {
  const credentials = { "nats.creds": "n", "runner-token": "t" } as const;
  const worker = { owner, component: "agent", ownerLabel: "rune.dev/session", epoch, document: {}, credentials } as const;
  return [
    ...sandboxObjects({ owner, epoch, uid: 100_001, spec: {}, caller: "agent", token: "t" }, config),
    ...workerObjects({ ...worker, secondsLeft: 60 }, config),
  ];
}

/** Something that doesn't let the sandbox go at once, as a kubelet does. */
const kubelet = "example.org/kubelet";

const ends: Story = {
  register: (manager) => register(manager, services),
  begin(api) {
    api.put(modelServers, { ...modelServer("coder"), status: { baseDigest, conditions: [condition("Ready")] } });
    const stored = api.put(agentSessions, session) as Stored;
    for (const epoch of [1, 2])
      for (const object of objectsOf(stored, epoch)) {
        const resource = resources[object.kind];
        if (object.kind === "Pod" && epoch === 1) continue;
        const finalizers = object.kind === "Pod" ? { finalizers: [kubelet] } : {};
        const status = object.kind === "Job" ? { status: { conditions: [condition("Complete")] } } : {};
        if (resource) api.put(resource, { ...object, ...status, metadata: { ...object.metadata, ...finalizers } });
      }
  },
  proceed({ api }) {
    const sandbox = api.find(pods, { namespace: "default", name: sandboxName(session, 2) });
    if (!sandbox) return;
    expect(api.all(networkPolicies), "a sandbox keeps its policy to its end").toHaveLength(1);
    const { annotations, deletionTimestamp } = sandbox.metadata;
    if (!deletionTimestamp) return;
    const ending = annotations?.[kubelet] ? { finalizers: [] } : { annotations: { ...annotations, [kubelet]: "ends it" } };
    api.put(pods, { ...sandbox, metadata: { ...sandbox.metadata, ...ending } });
  },
  subject: (api) => api.find(agentSessions, { namespace: "default", name: "widest" }) as AgentSession,
  isTidy: (api) => api.all(networkPolicies).length === 0,
  made: [],
};

const statusOf = ({ api }: Interrupted) => ends.subject(api).status as AgentSession["status"];

function expectOnlyJobs({ api }: Interrupted): void {
  expect(kindsLeft(api)).toEqual({ NetworkPolicy: 0, Secret: 0, ConfigMap: 0, Pod: 0, Job: 2 });
  expect(isTrue(ends.subject(api), "Succeeded")).toBe(true);
}

const writes = 10;

describe("a session that has ended", () => {
  it("leaves no credentials, inputs, policy or sandbox, and Jobs that go by themselves", async () => {
    story = await Interrupted.run(ends);
    expectOnlyJobs(story);
    expect(story.api.all(jobs).map(({ spec }) => spec.ttlSecondsAfterFinished)).toEqual([3600, 3600]);
    expect(story.writes, "more wouldn't be struck").toBe(writes);
  });

  it("has no credentials any more when its ending is told", async () => {
    let seen: number | undefined;
    const watched: Story = {
      ...ends,
      proceed(told) {
        ends.proceed(told);
        if (isTrue(ends.subject(told.api), "Succeeded")) seen ??= told.api.all(secrets).length;
      },
    };
    story = await Interrupted.run(watched);
    expect(seen).toBe(0);
  });

  it("is left alone afterwards: nothing is asked of the API server until something happens to it", async () => {
    story = await Interrupted.run(ends);
    await settle(story);
    const before = story.api.requests.length;
    await settle(story);
    expect(story.api.requests.slice(before).filter(({ path }) => !path.includes("watch"))).toEqual([]);
  });

  it("keeps at most 3 KB of status, with what is needed to see what happened", async () => {
    story = await Interrupted.run(ends);
    const status = statusOf(story);
    expect(JSON.stringify(status).length).toBeLessThanOrEqual(3072);
    expect(status).toMatchObject({
      outcome: "Exhausted",
      lastError: expect.stringMatching(/^AttributeError: jorana has no 'x'/),
      isolation: { verified: true, tried: 47, failed: [], digest: expect.stringMatching(/^sha256:/) },
      trajectory: { digest: expect.any(String) },
    });
    expect(status?.isolation).not.toHaveProperty("probes");
  });

  it.each(strikes(writes))("loses neither its ending nor its tidiness, killed %s write %i", async (_, __, strike) => {
    story = await Interrupted.run(ends, strike);
    expectOnlyJobs(story);
    expect(statusOf(story)?.outcome).toBe("Exhausted");
    expect(story.api.faultsLeft).toBe(0);
  });

  it("leaves what is somebody else's, whatever its name", async () => {
    const foreign = { apiVersion: "v1", kind: "Secret", metadata: { namespace: "default", name: "widest-e1" } };
    const beside: Story = {
      ...ends,
      begin(api) {
        ends.begin(api);
        api.delete(secrets, foreign.metadata);
        api.put(secrets, foreign);
      },
    };
    story = await Interrupted.run(beside);
    expect(story.api.all(secrets).map(({ metadata }) => metadata.name)).toEqual(["widest-e1"]);
  });
});

/** Lets everything that is under way come to its end. */
async function settle({ clock }: Interrupted): Promise<void> {
  for (let seconds = 0; seconds < 20; seconds++) {
    await clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 3));
  }
}
