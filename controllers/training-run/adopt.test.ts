import { expect, it } from "vitest";
import { aJob, aPod, aRun, aTrainingWorld, now } from "../testing/builders.ts";
import { config, digestOf } from "../testing/objects.ts";
import { decide } from "./decide.ts";
import type { World } from "./world.ts";

/** A trainer's stored result counts, whatever happened to its pod and its Job. */
const corpus = { digest: digestOf("e"), count: 1, solved: 1, trajectories: [] };
const told = {
  repository: "rune/team/adapters",
  digest: digestOf("a"),
  sizeBytes: 10,
  rank: 16,
  alpha: 32,
  targetModules: ["q_proj"],
  examples: 4,
  steps: 5,
  trainingLoss: 0.1,
  deltaWNorm: 2,
  durationSeconds: 3,
};
const message = JSON.stringify(told);
const artifact = {
  artifact: { kind: "Adapter", digest: digestOf("a"), sizeBytes: 10, annotations: {}, config: {} },
} as NonNullable<World["artifact"]>;
const runWith = (attempt: object) =>
  aRun({ status: { corpus, attempts: [{ number: 1, job: "tessera-a1", startTime: "2026-11-23T11:59:00Z", ...attempt }] } });
const decideOn = (over: Partial<World>) => decide(aTrainingWorld({ run: runWith({ result: "Running" }), ...over }), config, now);
/** A mesh's proxy, whose name sorts before ours. */
const beside = (pod: ReturnType<typeof aPod>, state: object = { running: {} }) => ({
  ...pod,
  status: { ...pod.status, phase: "Running", containerStatuses: [{ name: "envoy", state }, ...pod.status.containerStatuses] },
});

it("a trainer that is done has succeeded, though a mesh's proxy keeps its Job going, and the Job goes", () => {
  const job = aJob("tessera-a1");
  const outcome = decideOn({ job, pods: [beside(aPod(job, "trainer", { exitCode: 0, message }))] });
  expect(outcome.status).toMatchObject({ attempts: [{ result: "Succeeded" }], result: { digest: digestOf("a"), steps: 5 } });
  expect(outcome.deletes).toEqual([job]);
});

it("a trainer that failed beside a proxy that goes on has failed, in its own words", () => {
  const job = aJob("tessera-a1");
  const failure = JSON.stringify({ failure: { reason: "BadRow", message: "row 3 is empty" } });
  const outcome = decideOn({ job, pods: [beside(aPod(job, "trainer", { exitCode: 65, message: failure }))] });
  expect(outcome.status).toMatchObject({ attempts: [{ result: "Refused", reason: "BadRow" }] });
  expect(outcome.deletes).toEqual([job]);
});

it("a trainer at work goes on, and one whose pod ends with it is left to its Job", () => {
  const job = aJob("tessera-a1");
  expect(decideOn({ job, pods: [beside(aPod(job, "trainer"))] })).toMatchObject({ reason: "Training", deletes: [] });
  expect(decideOn({ job, pods: [aPod(job, "trainer", { exitCode: 0, message })] })).toMatchObject({ reason: "Training", deletes: [] });
});

it("a trainer that is done has succeeded, though the proxy's exit code failed its Job", () => {
  const job = aJob("tessera-a1", "Failed", { reason: "BackoffLimitExceeded" });
  const pod = beside(aPod(job, "trainer", { exitCode: 0, message }), { terminated: { exitCode: 1 } });
  const outcome = decideOn({ job, pods: [pod] });
  expect(outcome.status).toMatchObject({ attempts: [{ result: "Succeeded" }] });
  expect(outcome.deletes, "an ended Job stays, with its log").toEqual([]);
});

it("a trainer's lost words cost no Job before the registry was asked for what it stored", () => {
  const job = aJob("tessera-a1");
  const pods = [beside(aPod(job, "trainer", { exitCode: 0 }))];
  expect(decideOn({ job, pods, artifact: { unavailable: "no answer" } })).toMatchObject({ kind: "waiting", deletes: [] });
  const adopted = decideOn({ job, pods, artifact });
  expect(adopted.status).toMatchObject({ result: { digest: digestOf("a") } });
  expect(adopted.deletes).toEqual([job]);
});

const late = { result: "Failed", reason: "DeadlineExceeded", startTime: "2026-11-22T11:00:00Z", endTime: "2026-11-23T11:55:00Z" };

it("an artifact that an attempt stored is adopted after the deadline", () => {
  const outcome = decideOn({ run: runWith(late), artifact });
  expect(outcome).toMatchObject({
    kind: "progressing",
    status: { attempts: [{ number: 1, result: "Succeeded" }], result: { digest: digestOf("a") } },
  });
});

it("and after the last attempt that may be made", () => {
  const run = runWith({ result: "Failed", reason: "PodLost", endTime: "2026-11-23T11:55:00Z" });
  const spent = { ...run, spec: { ...run.spec, retries: { failures: 0, disruptions: 0 } } };
  expect(decideOn({ run: spent, artifact }).status).toMatchObject({ result: { digest: digestOf("a") } });
  expect(decideOn({ run: spent, artifact: { missing: "nothing is tagged" } })).toMatchObject({
    kind: "failed",
    reason: "RetriesExhausted",
  });
});

it("a run fails at its deadline where nothing was stored, or nobody can say so for ten minutes", () => {
  expect(decideOn({ run: runWith(late), artifact: { missing: "nothing is tagged" } })).toMatchObject({ kind: "failed" });
  const away = { artifact: { unavailable: "no answer" } };
  expect(decideOn({ run: runWith(late), ...away })).toMatchObject({ kind: "waiting", reason: "RegistryUnavailable" });
  const endTime = "2026-11-23T11:50:00Z";
  expect(decideOn({ run: runWith({ ...late, endTime }), ...away })).toMatchObject({ kind: "failed", reason: "DeadlineExceeded" });
});
