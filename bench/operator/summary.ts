import { type OperatorName, operatorNames } from "./operators.ts";
import type { Figure, Sample } from "./sample.ts";
import { type WorkloadName, workloadNames } from "./settings.ts";
import { type Spread, spreadOf } from "./statistics.ts";

export const figures = [
  "unitsPerSecond",
  "cpuMillisecondsPerUnit",
  "requestsPerUnit",
  "passesPerUnit",
  "p50Milliseconds",
  "p99Milliseconds",
  "syncMilliseconds",
  "rssIdleMebibytes",
  "rssPeakMebibytes",
  "rssGrowthMebibytes",
  "growthKibibytesPerObject",
  "othersOnCore",
] as const satisfies readonly Figure[];

/** The rounds of one operator in one workload, combined. */
export interface Summary {
  readonly workload: WorkloadName;
  readonly operator: OperatorName;
  readonly rounds: number;
  /** Requested units, and those that were completed, over all rounds. */
  readonly units: number;
  readonly done: number;
  /** Requests per unit by verb, medians. */
  readonly requests: Readonly<Record<string, number>>;
  readonly figures: Partial<Record<(typeof figures)[number], Spread>>;
}

export function summarize(samples: readonly Sample[]): Summary[] {
  return workloadNames.flatMap((workload) =>
    operatorNames.flatMap((operator) => {
      const own = samples.filter((sample) => sample.workload === workload && sample.operator === operator);
      return own.length > 0 ? [summaryOf(workload, operator, own)] : [];
    }),
  );
}

function summaryOf(workload: WorkloadName, operator: OperatorName, samples: readonly Sample[]): Summary {
  const spreads: Summary["figures"] = {};
  for (const figure of figures) {
    const spread = spreadOf(samples.map((sample) => sample[figure]));
    if (spread) spreads[figure] = spread;
  }
  return {
    workload,
    operator,
    rounds: samples.filter(({ failed }) => failed === undefined).length,
    units: samples.reduce((sum, { units }) => sum + units, 0),
    done: samples.reduce((sum, { done }) => sum + done, 0),
    requests: requestsOf(samples),
    figures: spreads,
  };
}

function requestsOf(samples: readonly Sample[]): Record<string, number> {
  const verbs = [...new Set(samples.flatMap(({ requests }) => Object.keys(requests ?? {})))].sort();
  return Object.fromEntries(
    verbs.map((verb) => {
      const perUnit = samples
        .filter(({ requests, done }) => requests && done > 0)
        .map(({ requests, done }) => (requests?.[verb] ?? 0) / done);
      return [verb, spreadOf(perUnit)?.median ?? 0];
    }),
  );
}
