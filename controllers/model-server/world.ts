import type { LoaderConfig, LoaderState } from "@rune/crds/contracts/loader";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import type { DynamicObject } from "kopf-ts";
import type { BaseState } from "../pods/base-model.ts";
import type { KubeObject } from "../pods/manifest.ts";
import type { OperatorConfig } from "../shared/config.ts";
import type { ObservedRequirement } from "../shared/requires.ts";
import type { Demand } from "./claims.ts";

/** One vLLM pod, and what its loader answered; undefined when it couldn't be asked. */
export interface Engine {
  readonly pod: DynamicObject;
  readonly state: LoaderState | undefined;
}

/** Everything that a pass over one ModelServer knows. */
export interface World {
  readonly server: ModelServer;
  readonly config: OperatorConfig;
  readonly requirements: readonly ObservedRequirement[];
  /** Whether the cluster has the LeaderWorkerSet API; only looked at where a replica spans several nodes. */
  readonly leaderWorkerSets: boolean;
  /** Identity of the base model; undefined where only a stager can tell it. */
  readonly base: BaseState | undefined;
  readonly adminKeys: LoaderConfig["adminKeys"];
  readonly statefulSet: DynamicObject | undefined;
  /** What there is under the names of what the server owns. */
  readonly existing: (manifest: KubeObject) => KubeObject | undefined;
  readonly engines: readonly Engine[];
  /** What admission said of the pods that the StatefulSet doesn't get. */
  readonly refusal?: string | undefined;
  /** A new token for stagers, where the old one is missing or grows old. */
  readonly stagerToken: { readonly token: string; readonly renewal: Date } | undefined;
  readonly adapters: ReadonlyMap<string, Adapter>;
  readonly demands: readonly Demand[];
  readonly lastUses: ReadonlyMap<string, string>;
}
