import type { AdapterConfig, HypernetworkConfig } from "@rune/crds/contracts/artifact";
import type { Progress } from "@rune/crds/contracts/trainer";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import type { DynamicObject, KubeObject } from "kopf-ts";
import type { BaseState } from "../pods/base-model.ts";
import type { ObservedRequirement } from "../shared/requires.ts";

/** What a run learns from, frozen. */
export type Corpus = NonNullable<NonNullable<TrainingRun["status"]>["corpus"]>;

interface Stored {
  readonly digest: string;
  readonly sizeBytes: number;
  /** The manifest's: the trainer's statistics, for a run whose termination message was lost. */
  readonly annotations: Readonly<Record<string, string>>;
}

/** What an attempt stored in the registry, verified: the manifest by digest, the config's source by this run's UID. */
export type Artifact =
  | (Stored & { readonly kind: "Adapter"; readonly config: AdapterConfig })
  | (Stored & { readonly kind: "Hypernetwork"; readonly config: HypernetworkConfig })
  /** `members`: distinct digests of its adapters. */
  | (Stored & { readonly kind: "Adapters"; readonly members: readonly string[] });

export type Unread = { readonly missing: string } | { readonly unavailable: string };
export type ArtifactState = { readonly artifact: Artifact } | Unread;

/** Adapters of an index that have no object yet, in batches. */
export type MembersState = { readonly members: readonly { digest: string; sizeBytes: number; config: AdapterConfig }[] } | Unread;

/** A hypernetwork that a run names. */
export type GeneratorState =
  | { readonly reference: ArtifactReference; readonly config: HypernetworkConfig }
  | { readonly wrong: string }
  | Unread;

/** Counts and scope that a corpus artifact states. */
export type CorpusArtifactState =
  | { readonly counted: Pick<Corpus, "count" | "solved" | "tasks" | "scope"> }
  | { readonly wrong: string }
  | Unread;

/** All input of a decision. */
export interface World {
  readonly run: TrainingRun;
  readonly requirements: readonly ObservedRequirement[];
  /** Sessions of the corpus; empty once it is frozen. */
  readonly sessions: readonly AgentSession[];
  /** The artifact of the corpus, until it is frozen. */
  readonly corpusArtifact: CorpusArtifactState | undefined;
  /** Adapters that were fine-tuned from one trajectory alone, by its digest; for a hypernetwork with an open corpus. */
  readonly pairs: ReadonlyMap<string, ArtifactReference>;
  /** Those that the spec names and that exist, in its order; empty once they are frozen. */
  readonly adapters: readonly Adapter[];
  /** The run whose hypernetwork generates, and that hypernetwork, until they are frozen. */
  readonly generatorRun: TrainingRun | undefined;
  readonly generator: GeneratorState | undefined;
  /** ModelServers of the namespace. */
  readonly servers: readonly ModelServer[];
  /** Read where an attempt is about to start. */
  readonly base: BaseState;
  /** The Job of the newest attempt. */
  readonly job: DynamicObject | undefined;
  /** Pods of the run. */
  readonly pods: readonly DynamicObject[];
  /** Admission's message about the pod that the Job can't create. */
  readonly refusal?: string | undefined;
  readonly progress: Progress | undefined;
  /** The artifact in status, or under the run's tag if a result was lost or the run would fail; else undefined. */
  readonly artifact: ArtifactState | undefined;
  /** Names of the artifact's Adapters that exist. */
  readonly created: ReadonlySet<string>;
  /** Set if the artifact is an index. */
  readonly members: MembersState | undefined;
  /** Of attempts, once the run has ended. */
  readonly spentLogins: readonly KubeObject[];
  /** Newly minted where an attempt's objects must be created, or its queue has admitted it. */
  readonly credentials: { readonly registryToken: string; readonly progress: string } | undefined;
}
