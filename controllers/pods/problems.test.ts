import { expect, it } from "vitest";
import { workerState } from "../epochs/worker.ts";
import { aJob, aPod, now } from "../testing/builders.ts";
import { jobBlocker } from "./problems.ts";

const job = { ...aJob("fix-e1"), metadata: { ...aJob("fix-e1").metadata, creationTimestamp: "2026-11-23T11:59:00Z" } };
const podWith = (status: object) => ({ ...aPod(job, "agent"), status });
const waitingFor = (reason: string) =>
  podWith({ containerStatuses: [{ name: "agent", state: { waiting: { reason, message: "no such thing" } } }] });

it("a Job whose pod no node takes says so", () => {
  const pod = podWith({
    conditions: [{ type: "PodScheduled", status: "False", reason: "Unschedulable", message: "0/3 nodes: 3 Insufficient nvidia.com/gpu" }],
  });
  expect(jobBlocker(job, [pod], now)).toMatchObject({ reason: "Unschedulable", message: expect.stringContaining("nvidia.com/gpu") });
});

it.each([
  ["ImagePullBackOff", "ImageUnavailable"],
  ["CreateContainerConfigError", "ContainerRefused"],
])("a Job whose container waits with %s says so", (reason, told) => {
  expect(jobBlocker(job, [waitingFor(reason)], now)).toMatchObject({ reason: told, message: expect.stringContaining("no such thing") });
});

it("a Job without a pod is in trouble after half a minute, unless a queue holds it", () => {
  expect(jobBlocker(job, [], now)).toMatchObject({ reason: "PodMissing", message: expect.stringContaining("events") });
  const refusal = 'pods "fix-e1" is forbidden: exceeded quota: compute';
  expect(jobBlocker(job, [], now, refusal)).toMatchObject({ reason: "PodMissing", message: `Job fix-e1 has no pod: ${refusal}` });
  expect(jobBlocker(job, [], new Date("2026-11-23T11:59:20Z"))).toBeNull();
  const labels = { "kueue.x-k8s.io/queue-name": "team" };
  expect(jobBlocker({ ...job, metadata: { ...job.metadata, labels }, spec: { suspend: true } }, [], now)).toBeNull();
});

it("a Job that was let go on has no pod for too long once half a minute has passed since then", () => {
  const resumed = (startTime: string, suspended = "False") => ({
    ...job,
    status: { startTime, conditions: [{ type: "Suspended", status: suspended }] },
  });
  expect(jobBlocker(resumed("2026-11-23T11:59:45Z"), [], now)).toBeNull();
  expect(jobBlocker(resumed("2026-11-23T11:59:15Z"), [], now)).toMatchObject({ reason: "PodMissing" });
  expect(jobBlocker(resumed("", "True"), [], now), "Kubernetes hasn't seen yet that it may go on").toBeNull();
});

it("a Job that somebody else suspended says so, whichever program it runs", () => {
  const suspended = { ...job, spec: { suspend: true } };
  expect(jobBlocker(suspended, [], now)).toMatchObject({ reason: "JobSuspended", retrySeconds: 30 });
  expect(workerState({ job: suspended, pods: [] }, "agent", now)).toMatchObject({ state: "Running", trouble: { reason: "JobSuspended" } });
});

it("a pod that starts or runs is none, and neither is another Job's", () => {
  expect(
    jobBlocker(job, [podWith({ containerStatuses: [{ name: "agent", state: { waiting: { reason: "ContainerCreating" } } }] })], now),
  ).toBeNull();
  const other = { ...waitingFor("ErrImagePull"), metadata: aPod(aJob("other"), "agent").metadata };
  expect(workerState({ job, pods: [podWith({ phase: "Running" }), other] }, "agent", now)).toEqual({
    state: "Running",
    hasPod: true,
    trouble: null,
  });
});
