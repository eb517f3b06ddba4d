import type { Requests } from "./audit.ts";
import type { OperatorName } from "./operators.ts";
import type { WorkloadName } from "./settings.ts";

/** One measurement of one operator. Fields that don't apply are absent. */
export interface Sample {
  readonly workload: WorkloadName;
  readonly operator: OperatorName;
  readonly round: number;
  /** Requested units of work: revisions to answer; in `children` also each child to create. */
  readonly units: number;
  /** Units done within the time limit. */
  readonly done: number;
  readonly seconds?: number;
  readonly unitsPerSecond?: number;
  readonly cpuMillisecondsPerUnit?: number;
  /** Passes of the reconciler per unit. */
  readonly passesPerUnit?: number;
  readonly requestsPerUnit?: number;
  readonly requests?: Requests;
  /** From when a revision was sent (in `cold`: from when the operator was started) to when its status was seen. */
  readonly p50Milliseconds?: number;
  readonly p99Milliseconds?: number;
  /** From the start of the process to complete caches. */
  readonly syncMilliseconds?: number;
  readonly rssIdleMebibytes?: number;
  readonly rssPeakMebibytes?: number;
  /** `memory`: with all objects cached, less the same without objects. */
  readonly rssGrowthMebibytes?: number;
  readonly growthKibibytesPerObject?: number;
  /**
   * The share of the operator's core used by other processes meanwhile, 0 to 1: the lower, the more reliable the
   * figures.
   */
  readonly othersOnCore?: number;
  /** Why it could not be measured. */
  readonly failed?: string;
}

export type Figure = {
  [K in keyof Sample]-?: Sample[K] extends number | undefined ? K : never;
}[keyof Sample];
