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

/** The tracker's state of a generation: complete, absent or incomplete, or unavailable. */
export type Tracking = { readonly runID: string } | "absent" | { readonly unavailable: string };
/** What made an adapter: a hypernetwork, or training. */
export type Maker = "generated" | "fine_tuned";

export type Status = NonNullable<EvolutionGeneration["status"]>;
export type Member = NonNullable<Status["members"]>[number];
export type Child = NonNullable<Status["children"]>[number];
export type Measurement = NonNullable<Status["evaluations"]>[number];
export type Decision = NonNullable<Status["decisions"]>[number];
export type Promotion = NonNullable<Status["promotion"]>;

/** Per task the share of programs that passed, by the manifest digest of the adapter; the base's is under `base`. */
export type Results = ReadonlyMap<string, ReadonlyMap<string, number>>;

/** What an adapter has learnt from, including its parents' share, and how it was trained, if its run says so. */
export interface TrainingData {
  readonly artifacts: readonly ArtifactReference[];
  readonly sft?: Partial<NonNullable<TrainingRun["spec"]["sft"]>> | undefined;
  readonly include?: NonNullable<TrainingRun["spec"]["corpus"]>["include"] | undefined;
}

/** A champion of a scope, whether or not its Adapter shows that yet. */
export interface Champion {
  readonly adapter: Adapter;
  readonly scope: Scope;
}

/** Why something in the registry couldn't be read. */
export interface Unavailable {
  readonly unavailable: string;
}

/** All input of a decision. What only one step needs is read in that step, and empty in all others. */
export interface World {
  readonly generation: EvolutionGeneration;
  /** The first generation of the chain, if it is another one and still exists. */
  readonly root: EvolutionGeneration | undefined;
  readonly requirements: readonly ObservedRequirement[];
  readonly server: ModelServer | undefined;
  /** The object that has the next generation's name. */
  readonly next: EvolutionGeneration | undefined;
  /** Until the population is frozen. */
  readonly tasks: { readonly fitness: TasksState; readonly promotion: TasksState } | undefined;
  /** The deciding tasks as frozen, where a child is about to be tested. */
  readonly deciding: TasksState | undefined;
  /** Adapters with the labels of the population, until it is frozen and where a child is about to be tested. */
  readonly population: readonly Adapter[];
  /** Members, children and relevant champions, by name. */
  readonly adapters: ReadonlyMap<string, Adapter>;
  /** Read where a child's rivals are chosen, and where it is judged. */
  readonly champions: readonly Champion[];
  /** Children of the generation, by name. */
  readonly runs: ReadonlyMap<string, TrainingRun>;
  readonly evaluations: ReadonlyMap<string, Evaluation>;
  /** Where parents are selected and where children are compared with members. */
  readonly results: Results | Unavailable;
  /** What each parent has learnt from, where the union is about to be trained. */
  readonly learnt: ReadonlyMap<string, TrainingData> | Unavailable;
  /** Number of solved sessions for the hypernetwork, at the beginning and end of a generation that may retrain it. */
  readonly pairs: number | undefined;
  /** The hypernetwork's training that the generation started. */
  readonly retraining: TrainingRun | undefined;
  /** A user of each adapter in use, such as `AgentSession fix-parser`, where archival is decided. */
  readonly users: ReadonlyMap<string, string>;
  /** The tracker's state of this generation, at its end; undefined where it isn't needed. */
  readonly tracking: Tracking | undefined;
  /** What made each member and child, at its end. */
  readonly makers: ReadonlyMap<string, Maker>;
  /** State in the registry of decisions to be recorded, by tag; those whose repository is unavailable are absent. */
  readonly records: ReadonlyMap<string, PieceState>;
}

export const isUnavailable = (value: object): value is Unavailable => "unavailable" in value;

/** Results by digest, if they were read. */
export const resultsIn = ({ results }: Pick<World, "results">): Results => (isUnavailable(results) ? new Map() : results);
