import { type Mlflow, MlflowUnavailable } from "@rune/clients/mlflow/mlflow";
import type { Push } from "@rune/clients/registry/registry";
import { describe, expect, test, vi } from "vitest";
import { adapterArm, controlled, measuredOf, none, quickstart } from "./fake-results.ts";
import { jobOf } from "./fake-world.ts";
import { metricsOf, noteOf, paramsOf, publishReport, trackReport } from "./publish.ts";
import { buildReport } from "./report.ts";

const digest = `sha256:${"1".repeat(64)}`;
const reference = { repository: "rune/n/reports", digest };
const trained = new Map([
  [`sha256:${"a".repeat(64)}`, { known: true, seen: [], training: { trainingLoss: 0.25, deltaWNorm: 12.5, cosineDiversity: 0.4 } }],
]);
const report = (job = controlled()) => buildReport(measuredOf({ base: none, memory: quickstart, wrong: none, mean: none }, job, trained));
const told = () => ({ report: report(), assessment: "text", reference });

/** A tracker that has a run already, or none. */
const tracker = (found: unknown) => ({
  findRun: vi.fn(async () => found),
  startRun: vi.fn(async (_: { tags: Record<string, string> }) => ({ runID: "new", experimentID: "e" })),
  logMetrics: vi.fn(),
  note: vi.fn(),
  endRun: vi.fn(),
});

describe("publishing", () => {
  test("stores four files under the evaluation's tag", async () => {
    const pushed: Push[] = [];
    const push = async (input: Push) => {
      pushed.push(input);
      return { repository: input.repository, digest, sizeBytes: 1 };
    };
    await publishReport({ push }, jobOf(), report(), { assessment: "text", page: "<p>text</p>", samples: "" });
    expect(pushed[0]).toMatchObject({
      repository: "rune/n/reports",
      tag: "evaluation-uid",
      artifactType: "application/vnd.rune.report.v1+json",
    });
    expect(pushed[0]?.files.map(({ title }) => title)).toEqual(["report.json", "assessment.html", "assessment.md", "samples.jsonl"]);
  });

  test("tells the tracker under the plan's seven names", () => {
    expect({ ...paramsOf(report()), ...metricsOf(report()) }).toMatchObject({
      run_id: "uid",
      phase: "memory-helps",
      adapter_id: "tessera-0123456789abcdef",
      pass_at_1: 0.533333,
      training_loss: 0.25,
      adapter_cosine_diversity: 0.4,
      delta_w_norm: 12.5,
    });
  });

  test("tells them of generated adapters too, each figure's mean, with the alarm that decides", () => {
    const origin = { trainingLoss: 0.1, cosineDiversity: 0.3, rightMinusWrong: 0.02 };
    const adapters = ["b", "c", "d"].map((name) => ({
      name,
      repository: "rune/n/adapters",
      digest: `sha256:${name.repeat(64)}`,
      generation: 0,
    }));
    const facts = new Map(
      adapters.map(({ digest }, index) => [digest, { known: true, seen: [], training: { ...origin, deltaWNorm: index + 1 } }] as const),
    );
    const assigned = { t0: "b", t1: "c", t2: "d" };
    const right = adapterArm("memory", { generated: true, adapterDigest: undefined, adapters, assigned });
    const { arms } = controlled();
    const job = controlled({ arms: arms.map((arm) => (arm.name === "memory" ? right : arm)) });
    const generated = buildReport(measuredOf({ base: none, memory: quickstart, wrong: none, mean: none }, job, facts));
    expect({ ...paramsOf(generated), ...metricsOf(generated) }).toMatchObject({
      adapter_id: "3 adapters",
      training_loss: 0.1,
      adapter_cosine_diversity: 0.3,
      delta_w_norm: 2,
      right_minus_wrong: 0.02,
    });
  });

  test("tells every arm's rate and gain beside them, and right minus each control", () => {
    expect(metricsOf(report())).toMatchObject({
      "pass_at_1.base": 0,
      "delta_points.memory": 53.333333,
      "right_minus.wrong": 53.333333,
      "right_minus_lower.mean": 42.174751,
    });
  });

  test("leaves out what nobody knows of an adapter, and counts where each task has one", () => {
    const adapters = [1, 2].map((n) => ({
      name: `a${n}`,
      repository: "rune/n/adapters",
      digest: `sha256:${`${n}`.repeat(64)}`,
      generation: 0,
    }));
    const arms = [jobOf().arms[0]!, adapterArm("memory", { adapterDigest: undefined, adapters, assigned: {} })];
    const many = report(jobOf({ samples: 5, arms }));
    expect(Object.keys(metricsOf(many))).not.toContain("training_loss");
    expect(paramsOf(many).adapter_id).toBe("2 adapters");
  });

  test("notes the verdict in the plan's words alone", () => {
    const gate = report().gate!;
    const notes = (["Passed", "Failed", "Inconclusive"] as const).map((verdict) =>
      noteOf({ ...report(), gate: { ...gate, verdict: { verdict, why: "" } } }),
    );
    expect(notes).toEqual(["Gate PASSED", "Gate FAILED — reassessing", "Gate INCONCLUSIVE"]);
  });

  test("notes the assessment where there is no gate", async () => {
    const mlflow = tracker(null);
    await trackReport(mlflow as unknown as Mlflow, "x", { ...told(), report: report(controlled({ gate: undefined })) });
    expect(mlflow.note).toHaveBeenCalledWith({ runID: "new", experimentID: "e" }, "text");
  });

  test("starts a run that leads to the report", async () => {
    const mlflow = tracker(null);
    expect(await trackReport(mlflow as unknown as Mlflow, "x", told())).toBe("new");
    expect(mlflow.startRun.mock.calls[0]?.[0].tags).toEqual({ "rune.evaluation.uid": "uid", "rune.report": `rune/n/reports@${digest}` });
  });

  test("goes on with the run of an earlier attempt", async () => {
    const mlflow = tracker({ runID: "r", experimentID: "e" });
    expect(await trackReport(mlflow as unknown as Mlflow, "x", told())).toBe("r");
    expect(mlflow.startRun).not.toHaveBeenCalled();
    expect(mlflow.note).toHaveBeenCalledWith({ runID: "r", experimentID: "e" }, "Gate PASSED");
  });

  test("never fails for the tracker's sake", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const mlflow = { findRun: () => Promise.reject(new MlflowUnavailable("away")) };
    expect(await trackReport(mlflow as unknown as Mlflow, "x", told())).toBeUndefined();
    expect(quiet).toHaveBeenCalledOnce();
    quiet.mockRestore();
  });
});
