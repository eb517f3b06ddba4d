import type { ProbeTargets } from "@rune/crds/contracts/pod";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { Isolation } from "@rune/crds/fields/isolation";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import type { EpochWorld } from "../epochs/epoch.ts";
import type { Runs } from "../shared/makers.ts";
import type { ObservedRequirement } from "../shared/requires.ts";
import type { TasksState } from "../shared/task-set.ts";
import type { Piece } from "./evidence.ts";
import type { Plan } from "./plan.ts";

export type Arm = Evaluation["spec"]["arms"][number];
export type ArmStatus = NonNullable<NonNullable<Evaluation["status"]>["arms"]>[number];

/** What the log says so far, or why it can't be read now. */
export type LogState = { completed: Record<string, number>; isolation?: Isolation } | { unavailable: string };

/** Evidence that the registry doesn't have yet, and why some can't be stored; or why that isn't known. */
export type EvidenceState = { unstored: readonly Piece[]; refused: readonly string[] } | { unavailable: string };

/** Everything that a decision needs, read once. */
export interface World extends EpochWorld {
  readonly evaluation: Evaluation;
  readonly requirements: readonly ObservedRequirement[];
  /** By name, those that arms refer to, and Adapters that are claimed now. */
  readonly servers: ReadonlyMap<string, ModelServer>;
  readonly adapters: ReadonlyMap<string, Adapter>;
  readonly libraryExists: boolean;
  /** What was frozen before the first program; undefined until then, and then what follows is read that it is made from. */
  readonly plan: Plan | undefined;
  readonly tasks: TasksState | undefined;
  /** By the name of the arm: Adapters with the labels of its `adapters`, sessions with those of its `context`. */
  readonly selected: ReadonlyMap<string, readonly Adapter[]>;
  readonly told: ReadonlyMap<string, readonly AgentSession[]>;
  /** By the name of the ModelServer: the adapters that always take its slots. */
  readonly residents: ReadonlyMap<string, readonly string[]>;
  readonly runs: Runs;
  /** Evaluations of the namespace, until this one has begun: what they measured says how far this one can see. */
  readonly earlier: readonly Evaluation[];
  /** undefined while a service that the proof tries is missing. */
  readonly targets: ProbeTargets | undefined;
  readonly log: LogState;
  /** Of what was measured, once the report is there. */
  readonly evidence: EvidenceState;
  /** Freshly minted where the evaluator has to be created. */
  readonly credentials: { readonly nats: string; readonly registry: string } | undefined;
  readonly runnerToken: string;
}

/** Programs of each arm that were judged, and the newest proof of isolation. */
export function summarize(records: readonly LogRecord[]): Extract<LogState, { completed: unknown }> {
  const completed: Record<string, number> = {};
  let isolation: Isolation | undefined;
  for (const record of records) {
    if (record.type === "judged") completed[record.arm] = (completed[record.arm] ?? 0) + record.samples.length;
    if (record.type === "isolation") isolation = { ...record.isolation, time: record.time };
  }
  return { completed, ...(isolation && { isolation }) };
}
