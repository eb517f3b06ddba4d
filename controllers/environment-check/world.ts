import type { Adapter } from "@rune/crds/kinds/adapter";
import type { EnvironmentCheck, NodeStatus } from "@rune/crds/kinds/environment-check";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import type { DynamicObject, KubeObject } from "kopf-ts";
import type { BaseState } from "../pods/base-model.ts";
import type { ObservedRequirement } from "../shared/requires.ts";
import type { JobState } from "./job-state.ts";

/** All input of a decision. */
export interface World {
  readonly check: EnvironmentCheck;
  readonly requirements: readonly ObservedRequirement[];
  /** Nodes to check, and the number of nodes beyond the limit; read only at the start. */
  readonly chosen: { readonly nodes: readonly NodeStatus[]; readonly omitted: number } | undefined;
  /** A new one, only at the start. */
  readonly nonce: string | undefined;
  /** Read where a node's Job is about to be created. */
  readonly base: BaseState;
  /** State of the Job of each frozen node, in the same order. */
  readonly work: readonly JobState[];
  /** The referenced server, or the check's own. */
  readonly server: ModelServer | undefined;
  readonly ownServer: ModelServer | undefined;
  /** The Adapter of the check's own artifact. */
  readonly adapter: Adapter | undefined;
  /** Whether the Adapter of `knownGood` exists. */
  readonly knownGoodExists: boolean;
  readonly ask: JobState;
  /** Jobs of the check, to delete at its end. */
  readonly jobs: readonly DynamicObject[];
  /** Of nodes' Jobs, once the check has ended. */
  readonly spentLogins: readonly KubeObject[];
  /** Newly minted where a node's Job must be created. */
  readonly registryToken: string | undefined;
}
