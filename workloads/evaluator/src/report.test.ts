import { canonicalJSON, sha256 } from "@rune/clients/digest";
import { type Mlflow, MlflowUnavailable } from "@rune/clients/mlflow";
import type { Push } from "@rune/clients/registry";
import { evaluatorResult, type LogRecord } from "@rune/crds/artifact";
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
    expect(report.taskSet).toMatchObject({ tasks: 6, clusters: 3 });
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
      { candidate: "memory", baseline: "base", delta: { estimate: 33.333333, lower: 0, upper: 50 } },
    ]);
    expect(report.gate).toMatchObject({
      verdict: { verdict: "Inconclusive" },
      verdicts: { PointEstimate: { verdict: "Passed" } },
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
      verdict: gate?.verdict.verdict,
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

describe("an assessment", () => {
  test("reads as a person would write it", () => {
    expect(assessment(buildReport(jobOf(), tasks, ledger), ledger)).toMatchInlineSnapshot(`
      "# memory-helps: nothing was decided

      **base** (base model \`qwen\` alone) and **memory** (adapter \`tessera-0123456789abcdef\`) each answered the same 6 held-out tasks, which come in 3 groups that stand or fall together, with 4 programs per task. A program counts when the task's own tests pass, in a sandbox that was proven to be isolated.

      ## The numbers

      | Arm | Pass@1 | 95 % interval | Pass@4 |
      | --- | ---: | ---: | ---: |
      | base | 0.0 % | 0.0 % to 0.0 % | 0.0 % |
      | memory | 33.3 % | 0.0 % to 50.0 % | 66.7 % |

      Gains, paired by task:

      - **memory** against **base**: +33.3 points, 95 % interval 0.0 to +50.0

      ## The verdict

      **memory** had to gain 5 points over **base**. By the rule \`LowerBound\` it stays undecided: the interval reaches from below 5 points to above; more tasks would narrow it.

      By the rule \`PointEstimate\` it would have come out otherwise (Passed): the estimate reaches 5 points.

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
      - 3 groups of tasks are few: intervals of so few come out somewhat too narrow.
      - The intervals speak of other tasks of this kind, drawn as these were. They say nothing about tasks of another kind.
      - Each gate spends its tasks: an adapter that was chosen by looking at these results needs fresh ones.
      - Every program stands in \`samples.jsonl\`; with seed 1 all numbers can be computed from it again. Task set: \`rune/n/tasks@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\`.
      "
    `);
  });

  test("of arms that solved nothing says so without a verdict in anyone's favour", () => {
    const job = jobOf({ arms: [...jobOf().arms.slice(0, 1), { ...jobOf().arms[0]!, name: "memory" }] });
    const both = (record: LogRecord): LogRecord[] => (record.type === "judged" ? [record, { ...record, arm: "memory" }] : [record]);
    const same = new Ledger(outside.records.filter(({ epoch }) => epoch === 1).flatMap(both));
    const text = assessment(buildReport(job, tasks, same), same);
    expect(text).toContain("# memory-helps: the gate failed");
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
