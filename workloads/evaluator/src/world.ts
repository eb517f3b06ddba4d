import type { Completion } from "@rune/clients/inference/inference";
import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import type { Answers } from "@rune/workloads-shared/programs";
import type { Sandbox } from "@rune/workloads-shared/sandbox";
import type { Arm } from "./arms.ts";
import type { Progress } from "./progress.ts";

export type Question = Pick<Completion, "model" | "messages" | "prefill" | "n" | "sampling" | "requestID">;
/** Experience in the prompt before a task, and the number of trajectories in it; empty without one. */
export type PromptContext = { text: string; trajectories: number };

/** Everything outside itself that an evaluator uses. */
export type World = Pick<Sandbox, "execute" | "prove"> & {
  job: EvaluatorJob;
  /** the tasks of this look, in the seed's order */
  tasks: readonly HeldOutTask[];
  ledger: Progress;
  /** Appends one record after the last one that this evaluator has. Rejects with Fenced when another one wrote. */
  append(record: LogRecord): Promise<void>;
  ask(arm: Arm, question: Question): Promise<Answers>;
  /** The arm's context for the prompt of a task. */
  contextFor(arm: Arm, task: HeldOutTask): PromptContext;
  /** Why a task's tests can't judge any program; empty where nothing speaks against them. */
  tryTests(task: HeldOutTask): Promise<string>;
  now(): Date;
};
