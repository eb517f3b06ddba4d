import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { Scope } from "@rune/crds/fields/scope";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import type { PieceState } from "../evidence/state.ts";
import type { ObservedRequirement } from "../shared/requires.ts";
import type { TasksState } from "../shared/task-set.ts";
import type { Maker, Tracking } from "./tracking.ts";

export type Status = NonNullable<EvolutionGeneration["status"]>;
export type Member = NonNullable<Status["members"]>[number];
export type Child = NonNullable<Status["children"]>[number];
export type Measurement = NonNullable<Status["evaluations"]>[number];
export type Decision = NonNullable<Status["decisions"]>[number];
export type Promotion = NonNullable<Status["promotion"]>;

/** The share of its programs that passed, of each task, by the manifest digest of who answered; the base's is under `base`. */
export type Results = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** What an adapter has learnt from, its parents' share included, and how it was trained, as far as its run tells. */
export interface Learnt {
  readonly artifacts: readonly ArtifactReference[];
  readonly sft?: Partial<NonNullable<TrainingRun["spec"]["sft"]>> | undefined;
  readonly include?: NonNullable<TrainingRun["spec"]["corpus"]>["include"] | undefined;
}

/** A champion of a scope, whether or not its Adapter shows that yet. */
export interface Champion {
  readonly adapter: Adapter;
  readonly scope: Scope;
}

/** Why something in the registry couldn't be read now. */
export interface Unavailable {
  readonly unavailable: string;
}

/** Everything that a decision needs, read once. What only one step needs is read in that step, and empty in all others. */
export interface World {
  readonly generation: EvolutionGeneration;
  /** The first generation of the chain, where this isn't it and it still exists. */
  readonly root: EvolutionGeneration | undefined;
  readonly requirements: readonly ObservedRequirement[];
  readonly server: ModelServer | undefined;
  /** Whatever has the next generation's name. */
  readonly next: EvolutionGeneration | undefined;
  /** Until the population is frozen. */
  readonly tasks: { readonly fitness: TasksState; readonly promotion: TasksState } | undefined;
  /** The tasks that decide, as they were frozen, where a child is about to be put to the test. */
  readonly deciding: TasksState | undefined;
  /** Adapters with the labels of the population, until it is frozen and where a child is about to be put to the test. */
  readonly population: readonly Adapter[];
  /** Members, children and the champions in question, by name. */
  readonly adapters: ReadonlyMap<string, Adapter>;
  /** Where it is asked whom a child must beat, and where it is judged. */
  readonly champions: readonly Champion[];
  /** The generation's own, by name. */
  readonly runs: ReadonlyMap<string, TrainingRun>;
  readonly evaluations: ReadonlyMap<string, Evaluation>;
  /** Where parents are selected and where children are compared with members. */
  readonly results: Results | Unavailable;
  /** What each parent has learnt from, where the union is about to be trained. */
  readonly learnt: ReadonlyMap<string, Learnt> | Unavailable;
  /** Solved sessions that the hypernetwork can learn from, at the beginning and at the end of a generation that may train one. */
  readonly pairs: number | undefined;
  /** The training that a generation began of the hypernetwork. */
  readonly retraining: TrainingRun | undefined;
  /** Who uses an adapter now, such as `AgentSession fix-parser`, where it is decided who is archived. */
  readonly users: ReadonlyMap<string, string>;
  /** What the experiment tracker has of this generation, at its end; undefined where nobody asks. */
  readonly tracking: Tracking | undefined;
  /** What made each member and child, at its end. */
  readonly makers: ReadonlyMap<string, Maker>;
  /** What the registry says of decisions that are to be recorded, by tag; nothing of those that it can't be asked about now. */
  readonly records: ReadonlyMap<string, PieceState>;
}

export const isUnavailable = (value: object): value is Unavailable => "unavailable" in value;

/** Results by digest, where they were read. */
export const resultsIn = ({ results }: Pick<World, "results">): Results => (isUnavailable(results) ? new Map() : results);
