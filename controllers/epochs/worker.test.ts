import { expect, it } from "vitest";
import { isOutlived } from "../pods/main-container.ts";
import { aJob, aPod, now } from "../testing/builders.ts";
import { livePods } from "./epoch.ts";
import { sandboxState } from "./sandbox.ts";
import { mayStillWrite, workerState } from "./worker.ts";

/** A container that a mesh or a monitoring agent adds; kubelets list containers by name, and these names sort first. */
const foreign = (name: string, state: object = { running: {} }) => ({ name, state });
const withContainers = (pod: ReturnType<typeof aPod>, ...others: object[]) => ({
  ...pod,
  status: { ...pod.status, containerStatuses: [...others, ...pod.status.containerStatuses] },
});
const output = JSON.stringify({ arm: "base" });

it.each(["agent", "evaluator"] as const)("an %s's ending is that of its own container, whichever stand before it", (name) => {
  const job = aJob("fix-e1", "Complete");
  const pod = withContainers(aPod(job, name, { exitCode: 0, message: output }), foreign("aaa", { terminated: { exitCode: 137 } }));
  expect(workerState({ job, pods: [pod] }, name, now)).toMatchObject({ state: "Ended", permanent: false, output: { arm: "base" } });
});

it("a worker has ended with its program, though a mesh's proxy keeps the Job going, and the Job then goes", () => {
  const job = aJob("fix-e1");
  const pod = withContainers(aPod(job, "evaluator", { exitCode: 0, message: output }, { phase: "Running" }), foreign("envoy"));
  const worker = workerState({ job, pods: [pod] }, "evaluator", now);
  expect(worker).toMatchObject({ state: "Ended", lingers: true, output: { arm: "base" } });
  expect(livePods({ job, worker, sandboxPod: undefined })).toEqual([job]);
  expect(mayStillWrite([pod], "evaluator", now)).toBe(false);
});

it("a worker at work is Running whatever happens to containers beside it", () => {
  const job = aJob("fix-e1");
  const pod = withContainers(aPod(job, "agent"), foreign("envoy", { terminated: { exitCode: 1 } }));
  expect(workerState({ job, pods: [pod] }, "agent", now)).toMatchObject({ state: "Running", hasPod: true });
  expect(mayStillWrite([pod], "agent", now)).toBe(true);
});

it("a Job whose only container has ended is left to say so itself", () => {
  const job = aJob("fix-e1");
  const pod = aPod(job, "agent", { exitCode: 0 });
  expect(isOutlived(pod, "agent")).toBe(false);
  expect(workerState({ job, pods: [pod] }, "agent", now)).toMatchObject({ state: "Running" });
  const ended = workerState({ job: aJob("fix-e1", "Complete"), pods: [pod] }, "agent", now);
  expect(livePods({ job, worker: ended, sandboxPod: undefined }), "ended Jobs stay, with their logs").toEqual([]);
});

it("a sandbox is what its runner is, whichever containers stand before it", () => {
  const pod = (state: object) => withContainers(aPod(aJob("fix-s1"), "runner", undefined, { phase: "Running" }), foreign("envoy", state));
  const waiting = { ...pod({ waiting: { reason: "ImagePullBackOff", message: "the proxy's" } }) };
  expect(sandboxState(waiting)).toEqual({ state: "Starting", message: "sandbox pod fix-s1-0 is starting" });
  const ended = withContainers(aPod(aJob("fix-s1"), "runner", { exitCode: 137 }, { phase: "Running" }), foreign("envoy"));
  expect(sandboxState(ended)).toEqual({ state: "Gone", message: "sandbox pod fix-s1-0 ended: its runner ended with exit code 137" });
});
