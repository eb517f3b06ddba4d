import { canonicalJSON, sha256 } from "@rune/clients/digest";
import { type Mlflow, MlflowUnavailable } from "@rune/clients/mlflow";
import type { Push } from "@rune/clients/registry";
import { type Execution, evaluatorResult, type HeldOutTask, type LogRecord } from "@rune/crds/artifact";
import type { EvaluatorJob } from "@rune/crds/job-spec";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { assessment } from "./assessment.ts";
import { FakeOutside, fakeWorld, jobOf, tasks } from "./fake-world.ts";
import { Ledger } from "./ledger.ts";
import { measure } from "./measure.ts";
import { metricsOf, noteOf, paramsOf, publishReport, trackReport } from "./publish.ts";
import { armEstimate, buildReport, isComplete, sampleLines } from "./report.ts";

const never = new AbortController().signal;
const outside = new FakeOutside();
let ledger = new Ledger();

beforeAll(async () => {
  await measure(fakeWorld(jobOf(), { outside }), never);
  await measure(fakeWorld(jobOf({ epoch: 2, arm: "memory" }), { outside }), never);
  ledger = new Ledger(outside.records);
});

describe("a report", () => {
  test("waits for the last arm", () => {
    expect(isComplete(jobOf(), tasks, ledger)).toBe(true);
    expect(isComplete(jobOf(), tasks, new Ledger(outside.records.filter(({ epoch }) => epoch === 1)))).toBe(false);
  });

  test("holds each arm's rates, the paired gain and both verdicts", () => {
    const report = buildReport(jobOf(), tasks, ledger);
    expect(report.taskSet).toMatchObject({ tasks: 6, clusters: 3, effectiveClusters: 3, leftOut: [] });
    expect(report.arms.map(({ name, passAt1 }) => [name, passAt1.estimate])).toEqual([
      ["base", 0],
      ["memory", 0.333333],
    ]);
    expect(report.arms[1]).toMatchObject({
      passAtK: { 1: 0.333333, 4: 0.666667 },
      passed: { "both-seal": 0, "both-veil": 2 },
      outcomes: { Passed: 8, Error: 16 },
    });
    expect(report.comparisons).toMatchObject([
      { candidate: "memory", baseline: "base", delta: { estimate: 33.333333, lower: -38.377545, upper: 100 }, differing: 4 },
    ]);
    expect(report.gate).toMatchObject({
      verdict: { verdict: "Inconclusive" },
      verdicts: { PointEstimate: { verdict: "Inconclusive" } },
      leakageSuspected: true,
    });
  });

  test("computed again has the same digest, also by the other arm's evaluator", () => {
    const digests = [jobOf(), jobOf(), jobOf({ arm: "memory", epoch: 7 })].map((job) =>
      sha256(canonicalJSON(buildReport(job, tasks, ledger))),
    );
    expect(new Set(digests).size).toBe(1);
  });

  test("says of an arm what the arm's own termination message says", () => {
    expect(buildReport(jobOf(), tasks, ledger).arms[1]?.passAt1).toEqual(armEstimate(jobOf(), "memory", tasks, ledger));
  });

  test("has its numbers in a termination message that fits", () => {
    const { comparisons, gate, arms } = buildReport(jobOf(), tasks, ledger);
    const reference = { repository: "r/".repeat(90), digest: `sha256:${"0".repeat(64)}` };
    const message = {
      arm: "memory",
      passAt1: arms[1]?.passAt1,
      completed: 24,
      delta: comparisons[0]?.delta,
      ...gate?.verdict,
      report: reference,
    };
    expect(JSON.stringify(evaluatorResult.parse(message)).length).toBeLessThan(4096);
  });

  test("comes with every program that was judged", () => {
    const lines = sampleLines(jobOf(), tasks, ledger).trimEnd().split("\n");
    expect(lines).toHaveLength(2 * 6 * 4);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({ arm: "base", taskId: "both-veil", sample: 0, execution: { passed: false } });
  });

  test("has no gate where the spec has none, and compares with the first arm", () => {
    const report = buildReport(jobOf({ gate: undefined }), tasks, ledger);
    expect(report.gate).toBeUndefined();
    expect(report.comparisons[0]).toMatchObject({ candidate: "memory", baseline: "base" });
    expect(assessment(report, ledger)).toContain("# memory-helps: what each arm can do");
  });
});

/** Programs of each task that passed, of five, by arm; three tasks a cluster. */
function measured(passed: Record<string, readonly number[]>, clusterOf = (index: number) => `f${Math.floor(index / 3)}`) {
  const asked = Array.from({ length: Math.max(...Object.values(passed).map(({ length }) => length)) }, (_, index) => ({
    ...(tasks[0] as HeldOutTask),
    id: `t${index}`,
    cluster: clusterOf(index),
  }));
  const records = Object.entries(passed).flatMap(([arm, counts]) =>
    counts.map((count, index) => judgedRecord(arm, `t${index}`, (sample) => (sample < count ? "Passed" : "Failed"))),
  );
  return { asked, records, ledger: new Ledger(records) };
}

function judgedRecord(arm: string, taskId: string, outcomeOf: (sample: number) => string): LogRecord {
  const samples = [0, 1, 2, 3, 4].map((sample) => ({
    program: `p${sample}`,
    execution: {
      passed: outcomeOf(sample) === "Passed",
      outcome: outcomeOf(sample) as Execution["outcome"],
      error: "",
      durationSeconds: 0,
    },
  }));
  return { type: "judged", n: 0, epoch: 1, time: "2026-11-28T00:00:00Z", arm, taskId, samples };
}

describe("a gate", () => {
  const gateOf = (minimumTasks: number, thresholdPoints = 5) =>
    jobOf({ samples: 5, gate: { candidate: "memory", baseline: "base", rule: "LowerBound", thresholdPoints, minimumTasks } });
  /** 16 functions of three tasks each, by program: what the quickstart measured as 53.3 points, to the same spread between functions. */
  const quickstart = [
    [2, 5, 4, 3, 3, 3, 3, 4, 4, 3, 3, 5, 3, 3, 0, 0, 4, 4, 2, 5, 3, 1, 0, 1],
    [4, 3, 0, 4, 2, 3, 2, 0, 0, 4, 3, 0, 5, 4, 3, 3, 2, 5, 3, 3, 3, 2, 1, 1],
  ].flat();
  const none = quickstart.map(() => 0);

  test("passes on what the quickstart measures, with more than 40 points", () => {
    const { asked, ledger: log } = measured({ base: none, memory: quickstart });
    const { gate, arms, comparisons } = buildReport(gateOf(12), asked, log);
    expect(gate?.verdict.verdict).toBe("Passed");
    expect(comparisons[0]?.delta).toEqual({ estimate: 53.333333, lower: 42.174751, upper: 64.491916 });
    expect(arms[0]?.passAt1).toMatchObject({ estimate: 0, lower: 0, upper: expect.closeTo(0.232, 3) });
  });

  test.each([1, 2, 5])("decides nothing on %d clusters, however many tasks they have", (clusters) => {
    const inFew = (index: number) => `f${index % clusters}`;
    const { asked, ledger: log } = measured({ base: none, memory: none.map(() => 5) }, inFew);
    const { gate, comparisons } = buildReport(gateOf(1), asked, log);
    expect(gate?.verdict).toMatchObject({ verdict: "Inconclusive", why: expect.stringContaining("add tasks") });
    expect(gate?.verdicts.PointEstimate.verdict).toBe("Inconclusive");
    expect((comparisons[0]?.delta.lower ?? 100) < 60).toBe(true);
  });

  test.each([
    ["an arm that solved what the other solved", quickstart, quickstart],
    ["arms that solved nothing", none, none],
    ["arms that solved everything", none.map(() => 5), none.map(() => 5)],
  ])("of at least nothing isn't passed by %s", (_, base, memory) => {
    const { asked, ledger: log } = measured({ base, memory });
    const report = buildReport(gateOf(12, 0), asked, log);
    expect(report.gate?.verdicts).toMatchObject({ LowerBound: { verdict: "Inconclusive" }, PointEstimate: { verdict: "Inconclusive" } });
    expect(report.comparisons[0]?.delta.upper).toBeGreaterThan(10);
    expect(report.comparisons[0]?.delta.lower).toBeLessThan(-10);
    for (const { passAt1 } of report.arms) expect(passAt1.upper - passAt1.lower).toBeGreaterThan(0.1);
  });

  test("isn't passed by one arm measured twice, even where chance was kind to the second time", () => {
    const { asked, ledger: log } = measured({ base: none, memory: quickstart });
    const [base] = jobOf().arms;
    const job = { ...gateOf(12), arms: [base, { ...base, name: "memory" }] as EvaluatorJob["arms"] };
    expect(buildReport(job, asked, log).gate?.verdicts).toMatchObject({
      LowerBound: { verdict: "Inconclusive", why: expect.stringContaining("the same model") },
      PointEstimate: { verdict: "Inconclusive" },
    });
  });

  test("takes copies of one task for one", () => {
    const { asked, ledger: log } = measured({ base: none, memory: quickstart });
    const copies = asked.map(({ cluster: _, ...task }, index) => (index < 10 ? task : { ...task, description: `${index}` }));
    expect(buildReport(gateOf(12), copies, log).taskSet).toMatchObject({ tasks: 48, clusters: 39 });
  });

  test("counts a task in no arm that one arm couldn't be judged by, and says which", () => {
    const { asked, records } = measured({ base: none, memory: quickstart });
    const unusable = judgedRecord("memory", "t0", () => "TestsUnusable");
    const log = new Ledger(
      [...records, unusable].filter((record) => !(record.type === "judged" && record.arm === "base" && record.taskId === "t7")),
    );
    const report = buildReport(gateOf(12), asked, log);
    expect(report.taskSet).toMatchObject({ tasks: 46, clusters: 16, leftOut: ["t0", "t7"] });
    expect(report.taskSet.effectiveClusters).toBeCloseTo(46 ** 2 / (14 * 9 + 2 * 4), 5);
    expect(report.arms.map(({ passed }) => "t0" in passed || "t7" in passed)).toEqual([false, false]);
    expect(report.comparisons[0]?.delta.estimate).toBeCloseTo((100 * (128 - 2 - 4)) / (5 * 46), 5);
    expect(assessment(report, log)).toContain("2 tasks more could not be judged in every arm and count in none: `t0`, `t7`.");
  });

  test("ends the evaluation for good where no task's tests can run", () => {
    const { asked } = measured({ base: [0] });
    const log = new Ledger([judgedRecord("base", "t0", () => "TestsUnusable")]);
    expect(() => armEstimate(jobOf(), "base", asked, log)).toThrow(expect.objectContaining({ code: 65, reason: "TestsUnusable" }));
  });
});

describe("an assessment", () => {
  test("reads as a person would write it", () => {
    expect(assessment(buildReport(jobOf(), tasks, ledger), ledger)).toMatchInlineSnapshot(`
      "# memory-helps: nothing was decided

      **base** (base model \`qwen\` alone) and **memory** (adapter \`tessera-0123456789abcdef\`) each answered the same 6 held-out tasks, which come in 3 groups that stand or fall together, with 4 programs per task. A program counts when the task's own tests pass, in a sandbox that was proven to be isolated.

      ## The numbers

      | Arm | Pass@1 | 95 % interval | Pass@4 |
      | --- | ---: | ---: | ---: |
      | base | 0.0 % | 0.0 % to 89.2 % | 0.0 % |
      | memory | 33.3 % | 2.5 % to 90.6 % | 66.7 % |

      Gains, paired by task:

      - **memory** against **base**: +33.3 points, 95 % interval -38.4 to +100.0

      ## The verdict

      **memory** had to gain 5 points over **base**. By the rule \`LowerBound\` it stays undecided: 3 independent tasks (clusters) are fewer than the 6 that the gate asks for; add tasks that have nothing to do with these, in clusters of their own.

      By the rule \`PointEstimate\` it comes out the same, for the same reason.

      ## What changed

      From **base** to **memory**, of 4 each:

      - 4 tasks gained: \`both-haul\` (0 → 2), \`both-veil\` (0 → 2), \`table-haul\` (0 → 2), \`table-veil\` (0 → 2)
      - 0 tasks lost
      - 2 tasks that neither solved: \`both-seal\`, \`table-seal\`

      ## What is left to learn

      16 programs of **memory** failed, most often so:

      - 16 × Error: \`AttributeError: tessera has no '…'; use tessera.veil(x) for it\`

      ## How far to trust this

      - **Leakage suspected**: a gain of more than 15 points is more often a leak of the tasks than a success. Before it is believed, run the control arms: the baseline against itself, an adapter learnt from other sessions, and one learnt from the wrong ones.
      - 3 groups of tasks are few: an interval of so few trusts that those which weren't drawn are like these.
      - The intervals speak of other tasks of this kind, drawn as these were. They say nothing about tasks of another kind.
      - Each gate spends its tasks: an adapter that was chosen by looking at these results needs fresh ones.
      - Every program stands in \`samples.jsonl\`; all numbers can be computed from it again. Task set: \`rune/n/tasks@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\`.
      "
    `);
  });

  test("of arms that solved nothing says so without a verdict in anyone's favour", () => {
    const job = jobOf({ arms: [...jobOf().arms.slice(0, 1), { ...jobOf().arms[0]!, name: "memory" }] });
    const both = (record: LogRecord): LogRecord[] => (record.type === "judged" ? [record, { ...record, arm: "memory" }] : [record]);
    const same = new Ledger(outside.records.filter(({ epoch }) => epoch === 1).flatMap(both));
    const text = assessment(buildReport(job, tasks, same), same);
    expect(text).toContain("# memory-helps: nothing was decided");
    expect(text).toContain("6 tasks that neither solved");
    expect(text).not.toContain("Leakage");
  });
});

describe("publishing", () => {
  const report = () => buildReport(jobOf(), tasks, ledger);

  test("stores three files under the evaluation's tag", async () => {
    const pushed: Push[] = [];
    const push = async (input: Push) => {
      pushed.push(input);
      return { repository: input.repository, digest: `sha256:${"1".repeat(64)}`, sizeBytes: 1 };
    };
    await publishReport({ push }, jobOf(), report(), { assessment: "text", samples: "" });
    expect(pushed[0]).toMatchObject({
      repository: "rune/n/reports",
      tag: "evaluation-uid",
      artifactType: "application/vnd.rune.report.v1+json",
    });
    expect(pushed[0]?.files.map(({ title }) => title)).toEqual(["report.json", "assessment.md", "samples.jsonl"]);
  });

  test("tells the tracker in the plan's words", () => {
    expect(metricsOf(report())).toMatchObject({
      pass_at_1: 0.333333,
      "pass_at_1.base": 0,
      "pass_at_1.memory": 0.333333,
      "delta_points.memory": 33.333333,
    });
    expect(paramsOf(report())).toMatchObject({ run_id: "uid", phase: "memory-helps", adapter_id: "tessera-0123456789abcdef" });
    const gate = report().gate!;
    const notes = (["Passed", "Failed", "Inconclusive"] as const).map((verdict) =>
      noteOf({ ...report(), gate: { ...gate, verdict: { verdict, why: "" } } }),
    );
    expect(notes).toEqual(["Gate PASSED", "Gate FAILED — reassessing", "Gate INCONCLUSIVE"]);
  });

  test("goes on with the run of an earlier attempt", async () => {
    const mlflow = {
      findRun: vi.fn(async () => ({ runID: "r", experimentID: "e" })),
      startRun: vi.fn(),
      logMetrics: vi.fn(),
      note: vi.fn(),
      endRun: vi.fn(),
    };
    expect(await trackReport(mlflow as unknown as Mlflow, "x", report(), "text")).toBe("r");
    expect(mlflow.startRun).not.toHaveBeenCalled();
    expect(mlflow.note).toHaveBeenCalledWith({ runID: "r", experimentID: "e" }, "Gate INCONCLUSIVE\n\ntext");
  });

  test("never fails for the tracker's sake", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const mlflow = { findRun: () => Promise.reject(new MlflowUnavailable("away")) };
    expect(await trackReport(mlflow as unknown as Mlflow, "x", report(), "text")).toBeUndefined();
    expect(quiet).toHaveBeenCalledOnce();
    quiet.mockRestore();
  });
});
