import type { LoaderConfig, LoaderState } from "@rune/crds/contracts/loader";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import type { DynamicObject } from "kopf-ts";
import type { BaseState } from "../pods/base-model.ts";
import type { KubeObject } from "../pods/manifest.ts";
import type { OperatorConfig } from "../shared/config.ts";
import type { ObservedRequirement } from "../shared/requires.ts";
import type { Demand } from "./claims.ts";

/** One vLLM pod with its loader's state; undefined if the loader couldn't be reached. */
export interface Engine {
  readonly pod: DynamicObject;
  readonly state: LoaderState | undefined;
  /** The loader answers and refuses the operator's token. */
  readonly isDenied?: boolean;
}

/** All input of a decision about one ModelServer. */
export interface World {
  readonly server: ModelServer;
  readonly config: OperatorConfig;
  readonly requirements: readonly ObservedRequirement[];
  /** Whether the cluster has the LeaderWorkerSet API; only read where a replica spans several nodes. */
  readonly leaderWorkerSets: boolean;
  /** Identity of the base model; undefined where only a stager can determine it. */
  readonly base: BaseState | undefined;
  readonly adminKeys: LoaderConfig["adminKeys"];
  readonly statefulSet: DynamicObject | undefined;
  /** Looks up the current object of an owned manifest. */
  readonly existing: (manifest: KubeObject) => KubeObject | undefined;
  readonly engines: readonly Engine[];
  /** Admission's message about pods that the StatefulSet can't create. */
  readonly refusal?: string | undefined;
  /** A new token for stagers, if the old one is missing or due for renewal. */
  readonly stagerToken: { readonly token: string; readonly renewal: Date } | undefined;
  readonly adapters: ReadonlyMap<string, Adapter>;
  readonly demands: readonly Demand[];
  readonly lastUses: ReadonlyMap<string, string>;
}
