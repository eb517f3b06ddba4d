import type { AdapterConfig } from "@rune/crds/contracts/artifact";
import type { TrainerResult } from "@rune/crds/contracts/trainer";
import { attempt as attemptSchema, type TrainingRun, trainingRun } from "@rune/crds/kinds/training-run";
import type { Outcome } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { aCondition, aJob, aPod, aRun, aSession, aTrainingWorld, now } from "../testing/builders.ts";
import { config, digestOf } from "../testing/objects.ts";
import { decide } from "./decide.ts";
import { trainerDocument } from "./manifests.ts";
import type { World } from "./world.ts";

const base = { name: "m", digest: digestOf("d") };
const corpus = {
  digest: digestOf("e"),
  count: 1,
  solved: 1,
  trajectories: [{ repository: "rune/team/trajectories", digest: digestOf("f") }],
};
const result = { repository: "rune/team/adapters", digest: digestOf("a"), sizeBytes: 10 };
const adapterConfig = {
  schema: "rune.dev/adapter/v1" as const,
  base,
  rank: 16,
  alpha: 32,
  targetModules: ["q_proj"],
  scope: { project: "tessera" },
  source: { kind: "TrainingRun" as const, name: "tessera", uid: "0a1b2c3d-0000-0000-0000-000000000000" },
  parents: [],
  generation: 0,
  files: {},
};

const stored = (over: Partial<AdapterConfig> = {}): NonNullable<World["artifact"]> => ({
  artifact: { kind: "Adapter", digest: digestOf("a"), sizeBytes: 10, annotations: {}, config: { ...adapterConfig, ...over } },
});

const solved = (name: string, spec?: object) =>
  aSession({
    name,
    spec,
    status: {
      outcome: "Solved",
      trajectory: { repository: "rune/team/trajectories", digest: digestOf(name.slice(-1)) },
      conditions: [aCondition("Succeeded")],
    },
  });
const running = (status: object = {}) =>
  aRun({
    status: { corpus, attempts: [{ number: 1, job: "tessera-a1", result: "Running", startTime: "2026-11-23T11:59:00Z" }], ...status },
  });
const decideOn = (over: Partial<World>): Outcome => decide(aTrainingWorld(over), config, now);

describe("the corpus", () => {
  it("is waited for while a matching session still runs", () => {
    const outcome = decideOn({ sessions: [solved("s1"), aSession({ name: "s2" })] });
    expect(outcome).toMatchObject({ kind: "waiting", reason: "SessionsRunning" });
    expect(outcome.message).toContain("s2");
  });

  it("of several artifacts is them, whatever their order, and waits for no session", () => {
    const artifacts = ["f", "e"].map((digit) => ({ repository: "rune/team/trajectories", digest: digestOf(digit) }));
    const of = (those: typeof artifacts) => decideOn({ run: aRun({ spec: { corpus: { artifacts: those } } }) });
    expect(of(artifacts)).toMatchObject({ reason: "CorpusFrozen", status: { corpus: { trajectories: artifacts.toReversed() } } });
    expect(of(artifacts).status).toEqual(of(artifacts.toReversed()).status);
  });

  it("is frozen by digest once none runs, whatever the order of sessions", () => {
    const one = decideOn({ sessions: [solved("s1"), solved("s2")] });
    const other = decideOn({ sessions: [solved("s2"), solved("s1")] });
    expect(one).toMatchObject({ reason: "CorpusFrozen", status: { corpus: { count: 2, solved: 2 } } });
    expect(one.status).toEqual(other.status);
  });

  it("freezes the scope that its sessions share, and the adapter gets it where the run names none", () => {
    const sessions = ["parsing", "printing"].map((domain, n) => solved(`s${n}`, { scope: { project: "tessera", domain } }));
    const frozen = decideOn({ sessions });
    expect(frozen.status).toMatchObject({ corpus: { scope: { project: "tessera" } } });
    const documentOf = (run: TrainingRun) => trainerDocument({ run, number: 1, base, config, remainingSeconds: 60 });
    expect(documentOf(aRun({ status: frozen.status })).output.scope).toEqual({ project: "tessera" });
    const named = aRun({ spec: { output: { scope: { project: "other" } } }, status: frozen.status });
    expect(documentOf(named).output.scope).toEqual({ project: "other" });
  });

  it("says so where nothing is shared and no session would find the adapter", () => {
    const sessions = ["a", "b"].map((project, n) => solved(`s${n}`, { scope: { project } }));
    expect(decideOn({ sessions }).message).toContain("spec.output.scope");
    expect(decideOn({ sessions, run: aRun({ spec: { output: { scope: { project: "a" } } } }) }).message).not.toContain("spec.output.scope");
  });

  it("stalls when more sessions match than one run can learn from", () => {
    const outcome = decideOn({ sessions: Array.from({ length: 501 }, (_, n) => solved(`s${n}`)) });
    expect(outcome).toMatchObject({ kind: "stalled", reason: "CorpusTooLarge", message: expect.stringContaining("at most 500") });
  });

  it("stalls when too few sessions ended solved, and says how many", () => {
    const outcome = decideOn({
      run: aRun({ spec: { corpus: { sessions: { matchLabels: {} }, minimumSessions: 3 } } }),
      sessions: ["s1", "s2", "s3"].map((name) =>
        aSession({ name, status: { outcome: "Exhausted", trajectory: result, conditions: [aCondition("Succeeded")] } }),
      ),
    });
    expect(outcome).toMatchObject({ kind: "stalled", reason: "CorpusTooSmall" });
    expect(outcome.message).toContain("0 of 3");
  });

  it("waits for sessions that it names and that aren't there", () => {
    expect(decideOn({ run: aRun({ spec: { corpus: { sessionNames: ["absent"] } } }) })).toMatchObject({
      kind: "waiting",
      reason: "SessionMissing",
    });
  });
});

describe("an attempt", () => {
  it("is recorded in status before its Job exists", () => {
    const outcome = decideOn({ run: aRun({ status: { corpus } }) });
    expect(outcome.creates).toEqual([]);
    expect(outcome.status).toMatchObject({ attempts: [{ number: 1, job: "tessera-a1", result: "Running" }] });
  });

  it("is created with its volume, credentials, input and Job, in this order", () => {
    const outcome = decideOn({ run: running(), credentials: { registryToken: "t", progress: "c" } });
    expect(outcome.creates.map(({ kind, metadata }) => `${kind}/${metadata.name}`)).toEqual([
      "PersistentVolumeClaim/tessera-checkpoints",
      "Secret/tessera-a1",
      "ConfigMap/tessera-a1",
      "Job/tessera-a1",
    ]);
  });

  it("tells of an estimate beyond what status may hold that it is long", () => {
    const job = aJob("tessera-a1");
    const progress = { percent: 0, step: 1, totalSteps: 10_000_000, remainingSeconds: 40_000_000.5 };
    const { status } = decideOn({ run: running(), job, pods: [aPod(job, "trainer")], progress });
    expect(trainingRun.status.shape.progress.parse((status as TrainingRun["status"])?.progress)).toMatchObject({
      remainingSeconds: 31_536_000,
    });
  });

  const ended = (terminated: { exitCode: number; reason?: string; message?: string } | undefined, conditions: object[] = []) => {
    const job = aJob("tessera-a1", "Failed");
    return decideOn({ run: running(), job, pods: [aPod(job, "trainer", terminated, { conditions })] });
  };
  const attempt = (outcome: Outcome) =>
    (outcome.status as { attempts: { result: string; reason?: string; message?: string }[] }).attempts[0];

  it.each([
    [
      "a permanent error as refused, in the trainer's own words",
      { exitCode: 65, message: JSON.stringify({ failure: { reason: "BadRow", message: "row 3 is empty" } }) },
      [],
      { result: "Refused", reason: "BadRow", message: "row 3 is empty" },
    ],
    ["another exit code as a failure", { exitCode: 1 }, [], { result: "Failed", reason: "NonZeroExit" }],
    [
      "too little memory as a failure that says what to change",
      { exitCode: 137, reason: "OOMKilled" },
      [],
      { result: "Failed", reason: "OutOfMemory", message: expect.stringContaining("spec.resources.memory") },
    ],
    [
      "what Kubernetes calls a disruption as one, whatever the exit code",
      { exitCode: 143 },
      [{ type: "DisruptionTarget", status: "True", reason: "PreemptionByScheduler", message: "preempted" }],
      { result: "Disrupted", reason: "PreemptionByScheduler" },
    ],
    ["exit 143 without a disruption as a failure", { exitCode: 143 }, [], { result: "Failed", reason: "Terminated" }],
  ])("tells %s", (_, terminated, conditions, expected) => {
    expect(attempt(ended(terminated, conditions))).toMatchObject(expected);
  });

  it("that ran out of memory while it staged the base blames the stager's limit", () => {
    const job = aJob("tessera-a1", "Failed");
    const stage = { name: "stage-model", state: { terminated: { exitCode: 137, reason: "OOMKilled" } } };
    const pod = { ...aPod(job, "trainer"), status: { initContainerStatuses: [stage] } };
    const recorded = attempt(decideOn({ run: running(), job, pods: [pod] }));
    expect(recorded).toMatchObject({ result: "Failed", reason: "OutOfMemory", message: expect.stringContaining("helpers.stager") });
  });

  it("is recorded with as much of a long message as status can hold", () => {
    const message = JSON.stringify({ failure: { reason: "BadRow", message: "row 🙂".repeat(280) } });
    const recorded = attempt(ended({ exitCode: 65, message }));
    expect(recorded).toMatchObject({ result: "Refused", reason: "BadRow", message: expect.stringMatching(/^row.*…$/u) });
    expect(attemptSchema.safeParse(recorded).success, "the API server takes it").toBe(true);
  });

  it("whose pod was drained counts as disrupted, though the pod went before its Job said so", () => {
    const message = "Pod team/tessera-a1-0-x has condition DisruptionTarget matching FailJob rule at index 0";
    const drained = decideOn({ run: running(), job: aJob("tessera-a1", "Failed", { reason: "PodFailurePolicy", message }) });
    expect(attempt(drained)).toMatchObject({ result: "Disrupted", reason: "Disrupted", message });
    const lost = decideOn({ run: running(), job: aJob("tessera-a1", "Failed", { reason: "BackoffLimitExceeded" }) });
    expect(attempt(lost)).toMatchObject({ result: "Failed", reason: "PodLost" });
  });

  it("whose pod never ends on a lost node counts as disrupted a minute after the pod should have gone", () => {
    const job = aJob("tessera-a1");
    const conditions = [{ type: "DisruptionTarget", status: "True", reason: "DeletionByTaintManager", message: "node is gone" }];
    const at = (deletionTimestamp: string, phase = "Running") => {
      const pod = aPod(job, "trainer", undefined, { conditions, phase });
      return decideOn({ run: running(), job, pods: [{ ...pod, metadata: { ...pod.metadata, deletionTimestamp } }] });
    };
    expect(at("2026-11-23T11:59:30Z")).toMatchObject({ reason: "Training", requeueAfterSeconds: 15 });
    expect(at("2026-11-23T11:58:00Z", "Succeeded"), "its Job will say so").toMatchObject({ reason: "Training" });
    expect(attempt(at("2026-11-23T11:58:00Z"))).toMatchObject({ result: "Disrupted", reason: "DeletionByTaintManager" });
  });

  it("is followed by another one until the failures are spent", () => {
    const failures = (count: number) =>
      Array.from({ length: count }, (_, i) => ({
        number: i + 1,
        job: `tessera-a${i + 1}`,
        result: "Failed" as const,
        message: "boom",
        startTime: "2026-11-23T11:59:00Z",
      }));
    expect(decideOn({ run: aRun({ status: { corpus, attempts: failures(2) } }) })).toMatchObject({ reason: "Training" });
    expect(decideOn({ run: aRun({ status: { corpus, attempts: failures(3) } }) })).toMatchObject({
      kind: "failed",
      reason: "RetriesExhausted",
      message: expect.stringContaining("boom"),
    });
  });

  describe("after others that ended", () => {
    const attempts = (count: number, how: object) =>
      Array.from({ length: count }, (_, i) => ({ number: i + 1, job: `tessera-a${i + 1}`, result: "Failed", ...how }));
    const away = { exitCode: 75, reason: "RegistryUnavailable", message: "no answer", startTime: "2026-11-23T11:00:00Z" };
    const after = (count: number, how: object) =>
      decideOn({ run: aRun({ status: { corpus, attempts: attempts(count, how) } }), artifact: { missing: "nothing is tagged" } });

    it("waits a moment after a failure", () => {
      const how = { exitCode: 1, startTime: "2026-11-23T11:00:00Z" };
      expect(after(1, { ...how, endTime: "2026-11-23T11:59:58Z" })).toMatchObject({ kind: "waiting", requeueAfterSeconds: 8 });
      expect(after(1, { ...how, endTime: "2026-11-23T11:59:50Z" })).toMatchObject({ reason: "Training" });
    });

    it("waits longer each time that something was unavailable, and that costs no retry", () => {
      const pauses = [1, 2, 3, 8, 40].map((count) => after(count, { ...away, endTime: "2026-11-23T12:00:00Z" }).requeueAfterSeconds);
      expect(pauses).toEqual([10, 20, 40, 900, 900]);
      expect(after(40, { ...away, endTime: "2026-11-23T11:45:00Z" })).toMatchObject({ reason: "Training" });
      const mixed = [...attempts(2, { exitCode: 1 }), ...attempts(2, away), ...attempts(1, { exitCode: 1 })];
      expect(decideOn({ run: aRun({ status: { corpus, attempts: mixed } }) }).message).toContain("3 attempts failed");
    });

    it("is made until the deadline, and not more often than status can tell", () => {
      const late = { ...away, startTime: "2026-11-22T12:01:00Z", endTime: "2026-11-23T12:00:00Z" };
      expect(after(8, late)).toMatchObject({ kind: "waiting", requeueAfterSeconds: 60 });
      expect(after(8, { ...late, startTime: "2026-11-22T12:00:00Z" })).toMatchObject({ kind: "failed", reason: "DeadlineExceeded" });
      expect(after(128, away)).toMatchObject({ kind: "failed", reason: "RetriesExhausted", message: expect.stringContaining("no answer") });
    });
  });

  it("is not tried again after a permanent error", () => {
    const attempts = [
      {
        number: 1,
        job: "tessera-a1",
        result: "Refused" as const,
        reason: "BadRow",
        message: "row 3 is empty",
        startTime: "2026-11-23T11:59:00Z",
      },
    ];
    expect(decideOn({ run: aRun({ status: { corpus, attempts } }) })).toMatchObject({ kind: "failed", reason: "BadRow" });
  });

  it("is not started once the deadline is over", () => {
    const attempts = [{ number: 1, job: "tessera-a1", result: "Failed" as const, startTime: "2026-11-01T00:00:00Z" }];
    expect(decideOn({ run: aRun({ status: { corpus, attempts } }) })).toMatchObject({ kind: "failed", reason: "DeadlineExceeded" });
  });
});

describe("the result", () => {
  const told: TrainerResult = {
    ...result,
    rank: 16,
    alpha: 32,
    targetModules: ["q_proj"],
    examples: 4,
    steps: 5,
    trainingLoss: 0.1,
    deltaWNorm: 2,
    durationSeconds: 3,
  };
  const job = aJob("tessera-a1", "Complete");

  it("is frozen in status before the Adapter is created", () => {
    const outcome = decideOn({ run: running(), job, pods: [aPod(job, "trainer", { exitCode: 0, message: JSON.stringify(told) })] });
    expect(outcome.status).toMatchObject({ result: { digest: digestOf("a") }, attempts: [{ result: "Succeeded" }] });
    expect(outcome.creates).toEqual([]);
  });

  it("is adopted from the run's tag when the termination message is lost", () => {
    const outcome = decideOn({
      run: running(),
      job,
      pods: [],
      artifact: stored(),
    });
    expect(outcome.status).toMatchObject({ result: { digest: digestOf("a"), repository: "rune/team/adapters" } });
  });

  it("costs another attempt when neither message nor tag is there", () => {
    expect(decideOn({ run: running(), job, pods: [], artifact: { missing: "nothing is tagged" } }).status).toMatchObject({
      attempts: [{ result: "Failed", reason: "PodLost" }],
    });
  });

  it("becomes one Adapter whose name ends in the digest and which the run doesn't own", () => {
    const run = running({ result });
    const artifact = stored();
    const [adapter] = decideOn({ run, artifact }).creates;
    expect(adapter).toMatchObject({
      kind: "Adapter",
      metadata: { name: `tessera-0a1b2c3d-${"a".repeat(16)}` },
      spec: { rank: 16, artifact: result },
    });
    expect(adapter?.metadata.ownerReferences).toBeUndefined();
  });

  it("is labelled with its scope as far as that can be a label, so that creating it can't be refused", () => {
    const scope = { project: "acme/billing", domain: "parsing" };
    const artifact = stored({ scope });
    const [adapter] = decideOn({ run: running({ result }), artifact }).creates;
    expect(adapter).toMatchObject({ spec: { scope } });
    expect(adapter?.metadata.labels).toEqual({
      "rune.dev/run": "tessera",
      "rune.dev/method": "sft",
      "rune.dev/domain": "parsing",
    });
  });

  it("ends the run once the Adapter is there, and an ended run does nothing more", () => {
    const artifact = stored();
    const created = new Set([`tessera-0a1b2c3d-${"a".repeat(16)}`]);
    expect(decideOn({ run: running({ result }), artifact, created })).toMatchObject({ kind: "succeeded", reason: "AdapterCreated" });
    expect(decideOn({ run: aRun({ status: { conditions: [aCondition("Succeeded")] } }) })).toMatchObject({
      kind: "unchanged",
      creates: [],
      deletes: [],
    });
  });

  it("takes its attempts' logins for a registry of one's own along, which don't end by themselves", () => {
    const login = { apiVersion: "v1", kind: "Secret", metadata: { name: "tessera-a1", namespace: "team" } };
    const run = aRun({ status: { conditions: [aCondition("Failed")] } });
    expect(decideOn({ run, spentLogins: [login] })).toMatchObject({ kind: "unchanged", deletes: [login] });
  });

  it("takes along the Job that ran into its deadline, whose deletion a crash prevented, and no other", () => {
    const jobAfter = (reason: string) => {
      const attempts = [{ number: 1, job: "tessera-a1", result: "Failed", reason, startTime: "2026-11-22T11:00:00Z" }];
      return decideOn({ run: aRun({ status: { attempts, conditions: [aCondition("Failed")] } }), job: aJob("tessera-a1") }).deletes;
    };
    expect(jobAfter("DeadlineExceeded")).toMatchObject([{ kind: "Job" }]);
    expect(jobAfter("OutOfMemory")).toEqual([]);
  });

  it("is looked for during ten minutes before it counts as gone", () => {
    const after = (endTime: string) => {
      const attempts = [{ number: 1, job: "tessera-a1", result: "Succeeded", startTime: "2026-11-23T11:00:00Z", endTime }];
      return decideOn({ run: running({ result, attempts }), artifact: { missing: "404" } });
    };
    expect(after("2026-11-23T11:50:01Z")).toMatchObject({ kind: "waiting", reason: "ArtifactMissing", requeueAfterSeconds: 15 });
    expect(after("2026-11-23T11:50:00Z")).toMatchObject({ kind: "failed", reason: "ArtifactMissing" });
  });

  it("waits for a registry that is unavailable instead of failing", () => {
    expect(decideOn({ run: running({ result }), artifact: { unavailable: "connection refused" } })).toMatchObject({
      kind: "waiting",
      reason: "RegistryUnavailable",
    });
  });
});

describe("suspension", () => {
  it("stops the Job and counts it as a disruption once it is gone", () => {
    const job = aJob("tessera-a1");
    const run = { ...running(), spec: { ...running().spec, suspend: true } };
    expect(decideOn({ run, job }).deletes).toEqual([job]);
    expect(decideOn({ run }).status).toMatchObject({ attempts: [{ result: "Disrupted", reason: "Suspended" }] });
  });
});

describe("another namespace's own repositories", () => {
  const foreign = { repository: "rune/other/trajectories", digest: digestOf("c") };
  it.each([
    ["corpus", { corpus: { artifact: foreign } }],
    ["corpus of many sessions", { corpus: { artifact: { ...foreign, repository: "rune/other/corpora" } } }],
    ["corpus of several artifacts", { corpus: { artifacts: [{ ...foreign, repository: "rune/team/trajectories" }, foreign] } }],
    ["base", { base: { oci: foreign } }],
  ])("stall a run that names one as its %s", (_, spec) => {
    expect(decideOn({ run: aRun({ spec }) })).toMatchObject({ kind: "stalled", reason: "ForeignRepository", creates: [] });
  });
});

describe("a base model that is not known", () => {
  it("waits while it may still come, and stalls when the registry doesn't have it", () => {
    expect(decideOn({ base: { unresolved: "not staged yet", missing: false } })).toMatchObject({
      kind: "waiting",
      reason: "BaseModelUnavailable",
    });
    expect(decideOn({ base: { unresolved: "no such digest", missing: true } })).toMatchObject({
      kind: "stalled",
      reason: "BaseModelUnavailable",
      requeueAfterSeconds: 300,
    });
  });

  it("is not waited for beyond the deadline once a first attempt was made", () => {
    const base = { unresolved: "the registry is unavailable", missing: false };
    const attempts = (result: string) => [{ number: 1, job: "tessera-a1", result, startTime: "2026-11-22T11:00:00Z" }];
    const created = decideOn({ base, run: aRun({ status: { corpus, attempts: attempts("Running") } }) });
    expect(created.status).toMatchObject({ attempts: [{ result: "Failed", reason: "DeadlineExceeded" }] });
    const spec = { retries: { failures: 0, disruptions: 0 } };
    expect(decideOn({ base, run: aRun({ spec, status: { corpus, attempts: attempts("Failed") } }) })).toMatchObject({
      kind: "failed",
      reason: "DeadlineExceeded",
    });
    expect(decideOn({ base, run: aRun({ status: { corpus, attempts: attempts("Refused") } }) })).toMatchObject({
      kind: "failed",
      message: "the trainer refused its input",
    });
  });
});
