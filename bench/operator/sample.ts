import type { Requests } from "./audit.ts";
import type { OperatorName } from "./operators.ts";
import type { WorkloadName } from "./settings.ts";

/** One measurement of one operator. What does not apply is not there. */
export interface Sample {
  readonly workload: WorkloadName;
  readonly operator: OperatorName;
  readonly round: number;
  /** Units of work that were asked for: revisions to answer; in `children` also each child to create. */
  readonly units: number;
  /** Units done within the time limit. */
  readonly done: number;
  readonly seconds?: number;
  readonly unitsPerSecond?: number;
  readonly cpuMillisecondsPerUnit?: number;
  /** How often the reconciler ran, a unit. */
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
  /** How much of the operator's core went to something else meanwhile, 0 to 1: the lower, the more the figures are worth. */
  readonly othersOnCore?: number;
  /** It could not be measured, and why. */
  readonly failed?: string;
}

export type Figure = {
  [K in keyof Sample]-?: Sample[K] extends number | undefined ? K : never;
}[keyof Sample];
