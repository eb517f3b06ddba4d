import { labels, type OperatorName, operatorNames } from "./operators.ts";
import type { Sizes, WorkloadName } from "./settings.ts";
import { workloadNames } from "./settings.ts";
import type { figures, Summary } from "./summary.ts";
import { picture, type Row } from "./svg.ts";
import { titleOf } from "./table.ts";

type FigureName = (typeof figures)[number];

const colors: Readonly<Record<OperatorName, string>> = {
  "kopf-ts": "#2f6fde",
  "controller-runtime": "#e08b1b",
  "client-node": "#7a8794",
  kopf: "#3a9e6b",
};

const ofWork: readonly (readonly [FigureName, string, string])[] = [
  ["unitsPerSecond", "throughput", "units/s, more is better"],
  ["cpuMillisecondsPerUnit", "CPU", "ms a unit, less is better"],
  ["p99Milliseconds", "latency, 99th percentile", "ms, less is better"],
  ["rssPeakMebibytes", "peak memory", "MiB, less is better"],
];
const ofMemory: readonly (readonly [FigureName, string, string])[] = [
  ["rssIdleMebibytes", "memory without objects", "MiB, less is better"],
  ["rssGrowthMebibytes", "growth with all objects", "MiB, less is better"],
  ["rssPeakMebibytes", "peak memory", "MiB, less is better"],
];

export function pictureOf(summaries: readonly Summary[], sizes: Sizes, subtitle: string): string {
  const legend = operatorNames.map((name) => ({ label: labels[name], color: colors[name] }));
  const rows = workloadNames.map((workload) => rowOf(workload, summaries, sizes)).filter((row) => row !== undefined);
  return picture("Four operators, the same work, the same API server", subtitle, legend, rows);
}

function rowOf(workload: WorkloadName, summaries: readonly Summary[], sizes: Sizes): Row | undefined {
  const own = summaries.filter((summary) => summary.workload === workload);
  if (own.length === 0) return undefined;
  const panels = (workload === "memory" ? ofMemory : ofWork).map(([figure, title, unit]) => ({
    title,
    unit,
    bars: own.map(({ operator, figures: measured }) => ({ label: labels[operator], color: colors[operator], spread: measured[figure] })),
  }));
  return { title: titleOf(workload, sizes), panels };
}
