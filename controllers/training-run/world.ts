import type { Adapter } from "@rune/crds/adapter";
import type { AgentSession } from "@rune/crds/agent-session";
import type { AdapterConfig, Progress } from "@rune/crds/artifact";
import type { TrainingRun } from "@rune/crds/training-run";
import type { DynamicObject } from "kopf-ts";
import type { BaseState } from "../base-model.ts";
import type { ObservedRequirement } from "../requires.ts";

/** What an attempt left in the registry, verified: the manifest by digest, the config's source by this run's UID. */
export type Artifact = { digest: string; sizeBytes: number; config: AdapterConfig };
export type ArtifactState = { artifact: Artifact } | { missing: string } | { unavailable: string };

/** Everything that a decision needs, read once. */
export interface World {
  readonly run: TrainingRun;
  readonly requirements: readonly ObservedRequirement[];
  /** Sessions of the corpus; empty once it is frozen. */
  readonly sessions: readonly AgentSession[];
  /** Read where an attempt is about to start. */
  readonly base: BaseState;
  /** The Job of the newest attempt. */
  readonly job: DynamicObject | undefined;
  /** Pods of the run. */
  readonly pods: readonly DynamicObject[];
  /** What admission said of the pod that the Job doesn't get. */
  readonly refusal?: string | undefined;
  readonly progress: Progress | undefined;
  /** The artifact that status names, or that the run's tag leads to where a result was lost or the run would fail; else undefined. */
  readonly artifact: ArtifactState | undefined;
  readonly adapter: Adapter | undefined;
  /** Freshly minted where an attempt's objects have to be created, or its queue has admitted it. */
  readonly credentials: { readonly registryToken: string; readonly progress: string } | undefined;
}
