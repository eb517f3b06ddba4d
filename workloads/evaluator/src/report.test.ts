import { canonicalJSON, sha256 } from "@rune/clients/registry/digest";
import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import { evaluatorResult } from "@rune/crds/contracts/evaluator";
import { mostArmsTogether } from "@rune/crds/kinds/evaluation";
import { beforeAll, describe, expect, test } from "vitest";
import { activeArms } from "./arms.ts";
import { adapterArm, controlled, judgedRecord, measuredOf, none, quickstart, recordsOf } from "./fake-results.ts";
import { FakeOutside, fakeWorld, jobOf, tasks } from "./fake-world.ts";
import { measure } from "./measure.ts";
import { Progress } from "./progress.ts";
import { buildReport, sampleLines } from "./report.ts";
import { armEstimate, costsOf, isComplete, judgedPrograms, type Measured } from "./results.ts";

const never = new AbortController().signal;
const outside = new FakeOutside();
let measured: Measured;

beforeAll(async () => {
  await measure(fakeWorld(jobOf(), { outside }), never);
  await measure(fakeWorld(jobOf({ epoch: 2, active: ["memory"] }), { outside }), never);
  measured = { job: jobOf(), tasks, ledger: new Progress(outside.records), facts: new Map() };
});

describe("a report", () => {
  test("waits for the last arm", () => {
    expect(isComplete(measured)).toBe(true);
    expect(isComplete({ ...measured, ledger: new Progress(outside.records.filter(({ epoch }) => epoch === 1)) })).toBe(false);
  });

  test("holds each arm's rates, the matrix, the paired gain and both verdicts", () => {
    const report = buildReport(measured);
    expect(report.taskSet).toMatchObject({ part: "All", tasks: 6, clusters: 3, effectiveClusters: 3, leftOut: [] });
    expect(report.look).toEqual({ number: 1, of: 1 });
    expect(report.arms.map(({ name, passAt1 }) => [name, passAt1.estimate])).toEqual([
      ["base", 0],
      ["memory", 0.333333],
    ]);
    expect(report.arms[1]).toMatchObject({ passAtK: { 1: 0.333333, 4: 0.666667 }, outcomes: { Passed: 8, Error: 16 } });
    expect(report.matrix.map(({ task }) => task)).toEqual([
      "both-haul",
      "table-haul",
      "both-seal",
      "table-seal",
      "both-veil",
      "table-veil",
    ]);
    expect(report.matrix[2]).toEqual({ task: "both-seal", cluster: "seal", passed: { base: 0, memory: 0 } });
    expect(report.matrix[4]?.passed).toEqual({ base: 0, memory: 2 });
    expect(report.comparisons).toMatchObject([
      { candidate: "memory", baseline: "base", delta: { estimate: 33.333333, lower: -38.377545, upper: 100 }, differing: 4 },
    ]);
    expect(report.gate).toMatchObject({
      verdict: { verdict: "Inconclusive" },
      verdicts: { PointEstimate: { verdict: "Inconclusive" } },
      tested: { estimate: 33.333333, lower: -38.377545, upper: 100 },
      threshold: 5,
      intervalConfidence: 0.95,
      leakageSuspected: true,
      decided: true,
    });
  });

  test("says what each arm took: tokens and seconds of its requests, and programs, equal ones once", () => {
    const [base, memory] = buildReport(measured).arms.map(({ costs }) => costs);
    expect(base).toEqual({ promptTokens: 18, completionTokens: 24, engineSeconds: 12, programs: 12, cutOff: 0 });
    expect(memory).toEqual({ promptTokens: 18, completionTokens: 24, engineSeconds: 12, programs: 16, cutOff: 0 });
    expect(costsOf(activeArms(jobOf({ active: ["memory"] }))[0]!, measured)).toEqual(memory);
  });

  test("reads the costs of logs that tell neither seconds nor incomplete answers", () => {
    const old = outside.records.map((record) =>
      record.type === "generated" ? { ...record, seconds: undefined, cutOff: undefined } : record,
    );
    const costs = { promptTokens: 18, engineSeconds: 0, cutOff: 0 };
    expect(buildReport({ ...measured, ledger: new Progress(old) }).arms[0]?.costs).toMatchObject(costs);
  });

  test("computed again has the same digest, also by the other arm's evaluator", () => {
    const digests = [jobOf(), jobOf(), jobOf({ active: ["memory"], epoch: 7 })].map((job) =>
      sha256(canonicalJSON(buildReport({ ...measured, job }))),
    );
    expect(new Set(digests).size).toBe(1);
  });

  test("says of an arm what the arm's own termination message says", () => {
    expect(buildReport(measured).arms[1]?.passAt1).toEqual(armEstimate(activeArms(jobOf({ active: ["memory"] }))[0]!, measured));
  });

  test("has its numbers in a termination message that fits", () => {
    const arm = "a".repeat(30);
    const costs = { promptTokens: 1e12, completionTokens: 1e12, engineSeconds: 1e9, programs: 1e7, cutOff: 1e7 };
    const rate = { estimate: -33.333333, lower: -38.377545, upper: 100.123456 };
    const message = {
      arms: Array.from({ length: mostArmsTogether }, () => ({ name: arm, passAt1: rate, completed: 1e9, costs })),
      decided: true,
      delta: rate,
      comparisons: Array.from({ length: 7 }, () => ({ candidate: arm, delta: rate, lead: rate })),
      controlsMissing: "c".repeat(300),
      verdict: "Inconclusive",
      why: "w".repeat(300),
      report: { repository: "r/".repeat(90), digest: `sha256:${"0".repeat(64)}` },
      mlflowRunID: "m".repeat(64),
    };
    expect(JSON.stringify(evaluatorResult.parse(message)).length).toBeLessThan(4096);
  });

  test("comes with every program that was judged, and who wrote it", () => {
    const lines = sampleLines(measured).trimEnd().split("\n");
    expect(lines).toHaveLength(2 * 6 * 4);
    expect(JSON.parse(lines[0] ?? "")).toMatchObject({
      arm: "base",
      taskId: "both-veil",
      model: "qwen",
      sample: 0,
      execution: { passed: false },
    });
  });

  test("has no gate where the spec has none, and compares with the first arm", () => {
    const report = buildReport({ ...measured, job: jobOf({ gate: undefined }) });
    expect(report.gate).toBeUndefined();
    expect(report.comparisons[0]).toMatchObject({ candidate: "memory", baseline: "base" });
  });

  test("tells how many tasks an arm has adapters for, and how many the base answered", () => {
    const adapters = ["veil", "haul"].map((name) => ({
      name,
      repository: "rune/n/adapters",
      digest: `sha256:${"b".repeat(64)}`,
      generation: 0,
    }));
    const memory = adapterArm("memory", {
      adapterDigest: undefined,
      adapters,
      assigned: { "both-veil": "veil", "table-veil": "veil", "both-haul": "haul" },
    });
    const report = buildReport({ ...measured, job: jobOf({ arms: [jobOf().arms[0]!, memory] }) });
    expect(report.arms[1]?.assigned).toEqual({ adapters: 2, tasks: 3, unassigned: 3 });
  });
});

describe("a gate", () => {
  const gateOf = (minimumTasks: number, thresholdPoints = 5) =>
    jobOf({ samples: 5, gate: { candidate: "memory", baseline: "base", rule: "LowerBound", thresholdPoints, minimumTasks } });
  const half = quickstart.map((passes) => Math.round(passes / 2));

  test("passes on what the quickstart measures, with more than 40 points, where the control arms stand beside it", () => {
    const { gate, arms, comparisons, contrasts } = buildReport(
      measuredOf({ base: none, memory: quickstart, wrong: none, mean: half }, controlled()),
    );
    expect(gate).toMatchObject({ verdict: { verdict: "Passed" }, controlsMissing: null });
    expect(comparisons[0]?.delta).toEqual({ estimate: 53.333333, lower: 42.174751, upper: 64.491916 });
    expect(arms[0]?.passAt1).toMatchObject({ estimate: 0, lower: 0, upper: expect.closeTo(0.232, 3) });
    expect(contrasts.map(({ control, candidate, baseline, delta }) => [control, candidate, baseline, Math.round(delta.estimate)])).toEqual([
      ["WrongTrajectory", "memory", "wrong", 53],
      ["Mean", "memory", "mean", 21],
    ]);
  });

  test("has its candidate's lead over every other arm, with the interval that it decides by", () => {
    const passes = { base: none, memory: quickstart, wrong: none, mean: half };
    const leadsAt = (confidence: string) => {
      const { arms, gate } = controlled();
      const { comparisons, gate: decided } = buildReport(
        measuredOf(passes, jobOf({ samples: 5, arms, gate: gate && { ...gate, confidence } })),
      );
      return { tested: decided?.tested, leads: Object.fromEntries(comparisons.map(({ candidate, lead }) => [candidate, lead])) };
    };
    const { tested, leads } = leadsAt("0.99");
    expect(leads).toEqual({
      memory: undefined,
      wrong: tested,
      mean: { estimate: expect.closeTo(21, 0), lower: expect.any(Number), upper: expect.any(Number) },
    });
    expect(leadsAt("0.95").leads.mean?.lower).toBeGreaterThan(leads.mean?.lower ?? Number.NaN);
    expect(buildReport(measuredOf(passes, { ...controlled(), gate: undefined })).comparisons.some(({ lead }) => lead)).toBe(false);
  });

  test("without control arms isn't passed by a gain that is suspiciously large, and says which arms to add", () => {
    const { gate } = buildReport(measuredOf({ base: none, memory: quickstart }, gateOf(12)));
    expect(gate?.verdict).toMatchObject({ verdict: "Inconclusive", why: expect.stringMatching(/Shuffled.* and .*mean or of noise/) });
    expect(gate?.controlsMissing).toBe(gate?.verdict.why);
    expect(gate?.verdict.why.length).toBeLessThanOrEqual(300);
  });

  test("on a hypernetwork's adapters wants control arms whatever they gain", () => {
    const little = none.map((_, index) => (index % 10 === 0 ? 1 : 0));
    const arms = [jobOf().arms[0]!, adapterArm("memory", { generated: true })];
    const gate = { candidate: "memory", baseline: "base", thresholdPoints: 0, minimumTasks: 12 };
    const report = (job: EvaluatorJob) => buildReport(measuredOf({ base: none, memory: little }, job)).gate;
    expect(report(jobOf({ samples: 5, arms, gate }))?.controlsMissing).toMatch(/hypernetwork/);
    expect(report(jobOf({ samples: 5, gate }))?.controlsMissing).toBeNull();
  });

  test("in a smoke test decides without them", () => {
    const gate = { candidate: "memory", baseline: "base", thresholdPoints: 5, mode: "Smoke" as const };
    expect(buildReport(measuredOf({ base: none, memory: quickstart }, jobOf({ samples: 5, gate }))).gate).toMatchObject({
      verdict: { verdict: "Passed" },
      controlsMissing: null,
    });
  });

  test("between base models wants no adapters as controls", () => {
    const [base] = jobOf().arms;
    const other = { ...base!, name: "memory", model: { url: "http://other/v1", base: "nf4", name: "nf4" } };
    const job = jobOf({ samples: 5, arms: [base!, other], gate: { candidate: "memory", baseline: "base", minimumTasks: 12 } });
    expect(buildReport(measuredOf({ base: none, memory: quickstart }, job)).gate?.verdict.verdict).toBe("Passed");
  });

  test("of a relative drop compares with a share of the baseline", () => {
    const gate = { candidate: "memory", baseline: "base", maxRelativeDropPercent: 10, minimumTasks: 12 };
    const less = quickstart.map((passes, index) => (index % 24 === 1 ? passes - 1 : passes));
    const report = buildReport(measuredOf({ base: quickstart, memory: less }, jobOf({ samples: 5, gate })));
    // 128 of 240 before and 126 after: 126 - 0.9 × 128 = 10.8 programs.
    expect(report.gate?.tested.estimate).toBeCloseTo((100 * 10.8) / 240, 5);
    expect(report.gate?.verdict).toMatchObject({
      verdict: "Passed",
      why: "the whole interval is at 90 % of the baseline's Pass@1 or above",
    });
    const many = quickstart.map((passes) => Math.max(0, passes - 1));
    expect(buildReport(measuredOf({ base: quickstart, memory: many }, jobOf({ samples: 5, gate }))).gate?.verdict.verdict).toBe("Failed");
  });

  test("has an interval of its own confidence beside the one that is shown", () => {
    const gate = { candidate: "memory", baseline: "base", minimumTasks: 12, confidence: "0.99" };
    const { comparisons, gate: decided } = buildReport(measuredOf({ base: none, memory: quickstart }, jobOf({ samples: 5, gate })));
    expect(comparisons[0]?.delta.lower).toBeCloseTo(42.17, 1);
    expect(decided?.intervalConfidence).toBe(0.99);
    expect(decided?.tested.lower).toBeLessThan(40);
  });

  test("at an early look ends the evaluation where it is sure, and not where it isn't", () => {
    const early = (memory: readonly number[]) =>
      buildReport(measuredOf({ base: none, memory, wrong: none, mean: none }, controlled({ look: { number: 1, of: 3 } }))).gate;
    expect(early(quickstart)).toMatchObject({ verdict: { verdict: "Passed" }, decided: true });
    expect(early(quickstart)?.intervalConfidence).toBeGreaterThan(0.999);
    expect(early(none.map((_, index) => (index % 12 === 0 ? 5 : 0)))).toMatchObject({
      verdict: { verdict: "Inconclusive" },
      decided: false,
    });
  });

  test.each([1, 2, 5])("decides nothing on %d clusters, however many tasks they have", (clusters) => {
    const { asked, records } = recordsOf({ base: none, memory: none.map(() => 5) }, (index) => `f${index % clusters}`);
    const { gate, comparisons } = buildReport({ job: gateOf(1), tasks: asked, ledger: new Progress(records), facts: new Map() });
    expect(gate?.verdict).toMatchObject({ verdict: "Inconclusive", why: expect.stringContaining("add tasks") });
    expect(gate?.verdicts.PointEstimate.verdict).toBe("Inconclusive");
    expect((comparisons[0]?.delta.lower ?? 100) < 60).toBe(true);
  });

  test.each([
    ["an arm that solved what the other solved", quickstart, quickstart],
    ["arms that solved nothing", none, none],
    ["arms that solved everything", none.map(() => 5), none.map(() => 5)],
  ])("of at least nothing isn't passed by %s", (_, base, memory) => {
    const report = buildReport(measuredOf({ base, memory }, gateOf(12, 0)));
    expect(report.gate?.verdicts).toMatchObject({ LowerBound: { verdict: "Inconclusive" }, PointEstimate: { verdict: "Inconclusive" } });
    expect(report.comparisons[0]?.delta.upper).toBeGreaterThan(10);
    expect(report.comparisons[0]?.delta.lower).toBeLessThan(-10);
    for (const { passAt1 } of report.arms) expect(passAt1.upper - passAt1.lower).toBeGreaterThan(0.1);
  });

  test("isn't passed by one arm measured twice, even where chance was kind to the second time", () => {
    const [base] = jobOf().arms;
    const job = { ...gateOf(12), arms: [base, { ...base, name: "memory" }] as EvaluatorJob["arms"] };
    expect(buildReport(measuredOf({ base: none, memory: quickstart }, job)).gate?.verdicts).toMatchObject({
      LowerBound: { verdict: "Inconclusive", why: expect.stringContaining("the same model") },
      PointEstimate: { verdict: "Inconclusive" },
    });
  });

  test("may be passed by the same model where it is told more", () => {
    const [base] = jobOf().arms;
    const context = { artifacts: [], pick: "Nearest" as const, as: "Notes" as const, maxTokens: 1024 };
    const job = { ...gateOf(12), arms: [base, { ...base, name: "memory", context }] as EvaluatorJob["arms"] };
    const { gate, arms } = buildReport(measuredOf({ base: none, memory: quickstart }, job));
    expect(gate?.verdict.verdict).toBe("Passed");
    expect(arms[1]?.context).toMatchObject({ as: "Notes", untold: 48 });
  });

  test("takes copies of one task for one", () => {
    const { tasks: asked, ...rest } = measuredOf({ base: none, memory: quickstart }, gateOf(12));
    const copies = asked.map(({ cluster: _, ...task }, index) => (index < 10 ? task : { ...task, description: `${index}` }));
    expect(buildReport({ ...rest, tasks: copies }).taskSet).toMatchObject({ tasks: 48, clusters: 39 });
  });

  test("counts a task in no arm that one arm couldn't be judged by, and says which", () => {
    const { asked, records } = recordsOf({ base: none, memory: quickstart });
    const unusable = judgedRecord("memory", "t0", () => "TestsUnusable");
    const kept = [...records, unusable].filter((record) => !(record.type === "judged" && record.arm === "base" && record.taskId === "t7"));
    const report = buildReport({ job: gateOf(12), tasks: asked, ledger: new Progress(kept), facts: new Map() });
    expect(report.taskSet).toMatchObject({ tasks: 46, clusters: 16, leftOut: ["t0", "t7"] });
    expect(report.taskSet.effectiveClusters).toBeCloseTo(46 ** 2 / (14 * 9 + 2 * 4), 5);
    expect(report.matrix.filter(({ task }) => ["t0", "t7"].includes(task))).toEqual([]);
    expect(report.comparisons[0]?.delta.estimate).toBeCloseTo((100 * (128 - 2 - 4)) / (5 * 46), 5);
  });

  test("ends the evaluation permanently where no task's tests can run", () => {
    const { asked } = recordsOf({ base: [0] });
    const ledger = new Progress([judgedRecord("base", "t0", () => "TestsUnusable")]);
    expect(() => armEstimate(activeArms(jobOf())[0]!, { tasks: asked, ledger })).toThrow(
      expect.objectContaining({ code: 65, reason: "TestsUnusable" }),
    );
    expect(judgedPrograms(activeArms(jobOf())[0]!, { tasks: asked, ledger })).toBe(5);
  });
});
