import { describe, expect, it } from "vitest";
import { aJob, aPod, now } from "../testing/builders.ts";
import { container, jobState } from "./job-state.ts";

const job = (ended?: "Complete" | "Failed", why: object = {}) => aJob("cluster-n0", ended, why);
const failedStage = (exitCode: number) => [
  {
    name: "stage-model",
    state: { terminated: { exitCode, message: '{"failure":{"reason":"ArtifactMissing","message":"no such model"}}' } },
  },
];

describe("a Job of a check", () => {
  it("that succeeded is what its program has said, whatever else stands in its pod", () => {
    const pod = aPod(job("Complete"), container, { exitCode: 0, message: '{"checks":[]}' });
    expect(jobState({ job: job("Complete"), pods: [pod] }, now)).toEqual({ state: "Ended", output: { checks: [] } });
  });

  it("is there to be waited for while it runs, and while it is being deleted", () => {
    expect(jobState({ job: job(), pods: [aPod(job(), container)] }, now)).toMatchObject({ state: "Running" });
    const going = { ...job("Failed"), metadata: { ...job().metadata, deletionTimestamp: "2026-11-23T12:00:00Z" } };
    expect(jobState({ job: going, pods: [] }, now)).toMatchObject({ state: "Running" });
  });

  it("whose pod isn't seen yet has not lost it", () => {
    const end = (lastTransitionTime: string) => job("Complete", { lastTransitionTime });
    expect(jobState({ job: end("2026-11-23T11:59:50Z"), pods: [] }, now)).toMatchObject({ state: "Running" });
    expect(jobState({ job: end("2026-11-23T11:59:00Z"), pods: [] }, now)).toMatchObject({ state: "Lost", again: true });
  });

  it.each([
    ["drained", { conditions: [{ type: "DisruptionTarget", status: "True" }] }, { exitCode: 143 }, true],
    [
      "in need of something that was unavailable",
      {},
      { exitCode: 75, message: '{"failure":{"reason":"RegistryUnavailable","message":"away"}}' },
      true,
    ],
    ["refused its input", {}, { exitCode: 65, message: '{"failure":{"reason":"InvalidSpec","message":"node is missing"}}' }, false],
    ["killed for its memory", {}, { exitCode: 137, reason: "OOMKilled" }, false],
  ] as const)("that was %s: whether another may fare better", (_, more, terminated, again) => {
    const pod = aPod(job("Failed"), container, terminated, { ...more, conditions: [...("conditions" in more ? more.conditions : [])] });
    expect(jobState({ job: job("Failed"), pods: [pod] }, now)).toMatchObject({ state: "Lost", again });
  });

  it("tells the words of a stager that couldn't fetch the base, and tries again where only the registry was unavailable", () => {
    const pod = (exitCode: number) => {
      const { status, ...rest } = aPod(job("Failed"), container);
      return { ...rest, status: { ...status, containerStatuses: [], initContainerStatuses: failedStage(exitCode) } };
    };
    const of = (exitCode: number) => jobState({ job: job("Failed"), pods: [pod(exitCode)] }, now);
    expect(of(64)).toMatchObject({ again: false, message: "the base model can't be staged: no such model" });
    expect(of(75)).toMatchObject({ again: true });
  });

  it("that needed more memory says what to raise", () => {
    const pod = aPod(job("Failed"), container, { exitCode: 137, reason: "OOMKilled" });
    expect(jobState({ job: job("Failed"), pods: [pod] }, now)).toMatchObject({ message: expect.stringContaining("spec.resources.memory") });
  });
});
