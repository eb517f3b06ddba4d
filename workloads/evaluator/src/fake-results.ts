import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import type { Execution, LogRecord } from "@rune/crds/contracts/session-log";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import type { Facts } from "./adapter-facts.ts";
import { jobOf, tasks } from "./fake-world.ts";
import { Progress } from "./progress.ts";
import type { Measured } from "./results.ts";

/** Passed programs per task, of five, by arm; three tasks per cluster. */
export function recordsOf(passed: Readonly<Record<string, readonly number[]>>, clusterOf = (index: number) => `f${Math.floor(index / 3)}`) {
  const asked = Array.from(
    { length: Math.max(...Object.values(passed).map(({ length }) => length)) },
    (_, index): HeldOutTask => ({ ...(tasks[0] as HeldOutTask), id: `t${index}`, cluster: clusterOf(index) }),
  );
  const records = Object.entries(passed).flatMap(([arm, counts]) =>
    counts.map((count, index) => judgedRecord(arm, `t${index}`, (sample) => (sample < count ? "Passed" : "Failed"))),
  );
  return { asked, records };
}

/** What an evaluation of such arms measured. */
export function measuredOf(
  passed: Readonly<Record<string, readonly number[]>>,
  job: EvaluatorJob = jobOf(),
  facts: Facts = new Map(),
): Measured {
  const { asked, records } = recordsOf(passed);
  return { job, tasks: asked, ledger: new Progress(records), facts };
}

export function judgedRecord(arm: string, taskId: string, outcomeOf: (sample: number) => string): LogRecord {
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

/**
 * 16 functions of three tasks each, by program: the quickstart's 53.3 points, with the same spread between functions.
 */
export const quickstart = [
  [2, 5, 4, 3, 3, 3, 3, 4, 4, 3, 3, 5, 3, 3, 0, 0, 4, 4, 2, 5, 3, 1, 0, 1],
  [4, 3, 0, 4, 2, 3, 2, 0, 0, 4, 3, 0, 5, 4, 3, 3, 2, 5, 3, 3, 3, 2, 1, 1],
].flat();
export const none = quickstart.map(() => 0);

/** An arm of one adapter. */
export function adapterArm(name: string, changes: Partial<EvaluatorJob["arms"][number]> = {}): EvaluatorJob["arms"][number] {
  const [, memory] = jobOf().arms;
  const model = { url: "http://m/v1", base: "qwen", name: `${name}-0123456789abcdef` };
  return { ...(memory as EvaluatorJob["arms"][number]), name, model, ...changes };
}

/** The quickstart's arms with the control arms that a large gain needs. */
export function controlled(changes: Parameters<typeof jobOf>[0] = {}): EvaluatorJob {
  const { arms } = jobOf();
  const controls = [adapterArm("wrong", { control: "WrongTrajectory" }), adapterArm("mean", { control: "Mean" })];
  const gate = { candidate: "memory", baseline: "base", thresholdPoints: 5, minimumTasks: 12 };
  return jobOf({ samples: 5, arms: [...arms, ...controls], gate, ...changes });
}
