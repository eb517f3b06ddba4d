import type { Registry } from "prom-client";
import type { Client } from "../api/client.ts";
import type { KubeConfigLike } from "../api/credentials.ts";
import type { FreezeDepth } from "../cache/store.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import type { Check } from "./health.ts";
import type { LeaderElectionOptions } from "./leader-election.ts";

/** Options of a Manager: a client or a kubeConfig, and how it runs. Invalid times are refused with a RangeError. */
export interface ManagerOptions {
  /** Owned by the manager from then on: it is closed when the manager stops. */
  readonly client?: Client;
  /** In place of a client: one is made from it. */
  readonly kubeConfig?: KubeConfigLike | undefined;
  /** Only these namespaces are seen. Default: all. */
  readonly namespaces?: readonly string[];
  /**
   * Only the holder of this Lease reconciles; the others keep their caches full and wait. Its namespace is that of the
   * client's credentials if none is given. Default: no Lease, and every process reconciles.
   */
  readonly leaderElection?: Partial<LeaderElectionOptions> & Pick<LeaderElectionOptions, "name">;
  /** A registry to put the metrics in. Default: a new one. */
  readonly metrics?: Registry;
  /** Where probes and metrics are served. Default: nowhere. */
  readonly health?: {
    readonly port: number;
    readonly host?: string;
    readonly ready?: Record<string, Check>;
    readonly live?: Record<string, Check>;
  };
  /** Default: on standard error, as `KOPF_LOG_LEVEL` and `KOPF_LOG_FORMAT` say (`loggerFrom`). */
  readonly logger?: Logger;
  /** Default: the clock of this machine. Tests give a VirtualClock. */
  readonly clock?: Clock;
  /** From 0 to below 1: spreads waits. Default `Math.random`. */
  readonly random?: () => number;
  /** The start fails if the caches are not complete after this time. Default 120. */
  readonly cacheSyncTimeoutSeconds?: number;
  /** How long running work may take to end when the manager stops. Default 30. */
  readonly gracePeriodSeconds?: number;
  /** How deep cached objects are frozen. Deep finds more bugs and costs more: for tests. Default shallow. */
  readonly freeze?: FreezeDepth;
  /**
   * Fill caches from the watch itself (WatchList, KEP-3157) if the server supports it; otherwise from lists. Default
   * false.
   */
  readonly watchList?: boolean;
  /**
   * Reconcile everything again after this time, ±10 %, from the caches and with low priority. Default, and 0: never;
   * level-triggered code needs none.
   */
  readonly resyncSeconds?: number;
  /** `reportingController` of events is `<prefix>/<controller>`. Default `kopf-ts`. */
  readonly eventPrefix?: string;
}
