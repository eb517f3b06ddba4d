import type { DynamicObject } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { aJob, aPod, aRun, aTrainingWorld, now } from "../testing/builders.ts";
import { config, digestOf } from "../testing/objects.ts";
import { decide } from "./decide.ts";
import { awaitsCredentials } from "./kueue.ts";
import type { World } from "./world.ts";

/** Jobs in the states of an API server with Kueue: created suspended, admitted later, and perhaps suspended again. */
const created = "2026-11-23T08:00:00Z";
const queueLabel = { "kueue.x-k8s.io/queue-name": "team" };
const held = (more: object = {}, labels: Record<string, string> = queueLabel): DynamicObject => ({
  ...aJob("tessera-a1"),
  metadata: { ...aJob("tessera-a1").metadata, creationTimestamp: created, labels },
  spec: { suspend: true },
  status: {
    conditions: [{ type: "Suspended", status: "True", reason: "JobSuspended", message: "Job suspended", lastTransitionTime: created }],
  },
  ...more,
});
const admitted = (startTime: string): DynamicObject =>
  held({
    spec: { suspend: false },
    status: {
      startTime,
      active: 1,
      conditions: [{ type: "Suspended", status: "False", reason: "JobResumed", message: "Job resumed", lastTransitionTime: startTime }],
    },
  });

const corpus = { digest: digestOf("e"), count: 1, solved: 1, trajectories: [] };
const queued = (startTime = created, spec: object = { queueName: "team" }) =>
  aRun({ spec, status: { corpus, attempts: [{ number: 1, job: "tessera-a1", result: "Running", startTime }] } });
const credentials = { registryToken: "t", progress: "c" };
const decideOn = (over: Partial<World>) => decide(aTrainingWorld({ run: queued(), ...over }), config, now);
const kinds = (outcome: ReturnType<typeof decideOn>) => outcome.creates.map(({ kind }) => kind);

describe("a run in a queue", () => {
  it("says that it is queued, and where, until Kueue admits it", () => {
    const outcome = decideOn({ job: held() });
    expect(outcome).toMatchObject({ kind: "waiting", reason: "Queued", creates: [] });
    expect(outcome.message).toContain("attempt 1 waits until Kueue admits it in the LocalQueue team");
  });

  it("is ended by its deadline, and looks again when that comes", () => {
    expect(decideOn({ job: held() }).requeueAfterSeconds).toBe(20 * 3600);
    const job = held();
    const over = decideOn({ job, run: queued("2026-11-22T12:00:00Z") });
    expect(over.status).toMatchObject({ attempts: [{ result: "Failed", reason: "DeadlineExceeded", endTime: "2026-11-23T12:00:00Z" }] });
    expect(over.message).toContain("LocalQueue team");
    expect(over.deletes).toEqual([job]);
  });

  it("gets its credentials when it is admitted, not before", () => {
    expect(kinds(decideOn({ credentials }))).toEqual(["PersistentVolumeClaim", "ConfigMap", "Job"]);
    const outcome = decideOn({ job: admitted("2026-11-23T11:59:59Z"), credentials });
    expect(outcome).toMatchObject({ reason: "Training" });
    expect(outcome.creates).toMatchObject([{ kind: "Secret", metadata: { name: "tessera-a1" } }]);
    expect(Object.keys(outcome.creates[0]?.data)).toEqual(["registry-token", "nats.creds"]);
  });

  it("needs credentials from its admission until its pod has begun", () => {
    const job = admitted("2026-11-23T11:59:00Z");
    const pod = (phase: string) => aPod(job, "trainer", undefined, { phase });
    expect(awaitsCredentials(queued(), held(), [])).toBe(false);
    expect(awaitsCredentials(queued(), job, [])).toBe(true);
    expect(awaitsCredentials(queued(), job, [pod("Pending")])).toBe(true);
    expect(awaitsCredentials(queued(), job, [pod("Running")])).toBe(false);
    expect(awaitsCredentials(queued(created, {}), job, [])).toBe(false);
  });

  it("is not without a pod for too long before its Job has started", () => {
    expect(decideOn({ job: admitted("2026-11-23T11:59:45Z") })).toMatchObject({ reason: "Training" });
    expect(decideOn({ job: admitted("2026-11-23T11:59:15Z") })).toMatchObject({ reason: "PodMissing" });
  });

  it("says so again when Kueue takes its place away", () => {
    const job = held();
    const pod = aPod(job, "trainer", undefined, { phase: "Running" });
    expect(decideOn({ job, pods: [pod] })).toMatchObject({ reason: "Queued" });
  });

  it("that was admitted late is ended by its own deadline, since its Job's began with the admission", () => {
    const job = admitted("2026-11-23T11:00:00Z");
    const pods = [aPod(job, "trainer", undefined, { phase: "Running" })];
    const at = (startTime: string) => decideOn({ job, pods, run: queued(startTime) });
    expect(at("2026-11-22T12:01:00Z")).toMatchObject({ reason: "Training", requeueAfterSeconds: 150 });
    expect(at("2026-11-22T11:59:00Z"), "the Job may still say so itself").toMatchObject({ reason: "Training", requeueAfterSeconds: 30 });
    const over = at("2026-11-22T11:58:30Z");
    expect(over.status).toMatchObject({ attempts: [{ result: "Failed", reason: "DeadlineExceeded" }] });
    expect(over.deletes).toEqual([job]);
  });
});

it("an attempt that was let go on ends as its newest pod does", () => {
  const job = { ...admitted("2026-11-23T11:00:00Z"), status: { conditions: [{ type: "Failed", status: "True" }] } };
  const pod = (exitCode: number, creationTimestamp: string) => {
    const made = aPod(job, "trainer", { exitCode });
    return { ...made, metadata: { ...made.metadata, creationTimestamp } };
  };
  const pods = [pod(143, "2026-11-23T09:00:00Z"), pod(78, "2026-11-23T11:00:01Z")];
  expect(decideOn({ job, pods }).status).toMatchObject({ attempts: [{ result: "Refused", exitCode: 78 }] });
});

it("a Job that is suspended though the run names no queue says so, and how that comes", () => {
  const outcome = decideOn({ run: queued(created, {}), job: held({}, {}) });
  expect(outcome).toMatchObject({ kind: "waiting", reason: "JobSuspended" });
  expect(outcome.message).toContain("manageJobsWithoutQueueName");
});
