import type { Fold } from "@rune/clients/nats/nats";
import type { ProbeTargets } from "@rune/crds/contracts/pod";
import type { Isolation } from "@rune/crds/fields/isolation";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import type { EpochWorld } from "../epochs/epoch.ts";
import type { MeasuredEvidence } from "../evidence/measurements.ts";
import type { ObservedRequirement } from "../shared/requires.ts";
import type { Runs } from "../shared/source-run.ts";
import type { TasksState } from "../shared/task-set.ts";
import type { Plan } from "./plan.ts";

export type Arm = Evaluation["spec"]["arms"][number];
export type ArmStatus = NonNullable<NonNullable<Evaluation["status"]>["arms"]>[number];

/** Summary of the log so far, or why it can't be read. */
export type LogState = { completed: Record<string, number>; isolation?: Isolation } | { unavailable: string };

/** Measurements of one adapter, and that adapter's repository, where they are stored. */
export interface Piece {
  readonly repository: string;
  readonly evidence: MeasuredEvidence;
}

/** Evidence that the registry doesn't have yet, and why some can't be stored; or why this is unknown. */
export type EvidenceState = { unstored: readonly Piece[]; refused: readonly string[] } | { unavailable: string };

/** All input of a decision. */
export interface World extends EpochWorld {
  readonly evaluation: Evaluation;
  readonly requirements: readonly ObservedRequirement[];
  /** By name: those that arms refer to, and Adapters that are claimed now. */
  readonly servers: ReadonlyMap<string, ModelServer>;
  readonly adapters: ReadonlyMap<string, Adapter>;
  readonly libraryExists: boolean;
  /** Frozen before the first program. While it is undefined, the fields below that it is made from are read. */
  readonly plan: Plan | undefined;
  readonly tasks: TasksState | undefined;
  /** By arm name: Adapters with the labels of its `adapters`, sessions with those of its `context`. */
  readonly selected: ReadonlyMap<string, readonly Adapter[]>;
  readonly told: ReadonlyMap<string, readonly AgentSession[]>;
  /** By ModelServer name: the adapters that always occupy slots. */
  readonly residents: ReadonlyMap<string, readonly string[]>;
  readonly runs: Runs;
  /** Evaluations of the namespace, until this one has begun; their measurements show which gain this one can detect. */
  readonly earlier: readonly Evaluation[];
  /** undefined while a service that the isolation proof tries is missing. */
  readonly targets: ProbeTargets | undefined;
  readonly log: LogState;
  /** Evidence of the measurements, once there is a report. */
  readonly evidence: EvidenceState;
  /** Newly minted where the evaluator must be created. */
  readonly credentials: { readonly nats: string; readonly registry: string } | undefined;
  readonly runnerToken: string;
}

/** Number of judged programs per arm, and the newest isolation proof. */
export const judgedSoFar: Fold<Extract<LogState, { completed: unknown }>> = {
  empty: { completed: {} },
  add: (before, records) => {
    const completed = { ...before.completed };
    let { isolation } = before;
    for (const { record } of records) {
      if (record.type === "judged") completed[record.arm] = (completed[record.arm] ?? 0) + record.samples.length;
      if (record.type === "isolation") isolation = { ...record.isolation, time: record.time };
    }
    return { completed, ...(isolation && { isolation }) };
  },
};
