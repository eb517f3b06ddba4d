import type { Adapter } from "@rune/crds/kinds/adapter";
import type { EnvironmentCheck, NodeStatus } from "@rune/crds/kinds/environment-check";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import type { DynamicObject } from "kopf-ts";
import type { BaseState } from "../pods/base-model.ts";
import type { ObservedRequirement } from "../shared/requires.ts";
import type { Work } from "./work.ts";

/** Everything that a decision needs, read once. */
export interface World {
  readonly check: EnvironmentCheck;
  readonly requirements: readonly ObservedRequirement[];
  /** Nodes to look at, and how many are too many; read at the start alone. */
  readonly chosen: { readonly nodes: readonly NodeStatus[]; readonly omitted: number } | undefined;
  /** A fresh one, at the start alone. */
  readonly nonce: string | undefined;
  /** Read where a node's Job is about to be created. */
  readonly base: BaseState;
  /** How the Job of each frozen node stands, in their order. */
  readonly work: readonly Work[];
  /** The server that is referred to, or the check's own. */
  readonly server: ModelServer | undefined;
  readonly ownServer: ModelServer | undefined;
  /** The Adapter of the check's own artifact. */
  readonly adapter: Adapter | undefined;
  /** Whether the Adapter of `knownGood` exists. */
  readonly knownGoodExists: boolean;
  readonly ask: Work;
  /** Of the check, for when it ends. */
  readonly jobs: readonly DynamicObject[];
  /** Freshly minted where a node's Job has to be created. */
  readonly registryToken: string | undefined;
}
