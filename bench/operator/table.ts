import { labels, reference } from "./operators.ts";
import type { Sizes, WorkloadName } from "./settings.ts";
import type { Spread } from "./statistics.ts";
import { ratio } from "./statistics.ts";
import type { Summary } from "./summary.ts";

export type Row = readonly string[];

/** Columns as wide as their widest cell; the first to the left, the others to the right. */
export function layOut(rows: readonly Row[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const cell = (text: string, column: number) => (column === 0 ? text.padEnd(widths[column] ?? 0) : text.padStart(widths[column] ?? 0));
  return rows.map((row) => row.map(cell).join("  ").trimEnd()).join("\n");
}

export function titleOf(workload: WorkloadName, sizes: Sizes): string {
  const count = (value: number) => value.toLocaleString("en-US");
  switch (workload) {
    case "burst":
      return `create burst: ${count(sizes.burst)} objects, one status write each`;
    case "cold":
      return `cold start with ${count(sizes.cold)} objects`;
    case "coldLarge":
      return `cold start with ${count(sizes.coldLarge)} objects (once)`;
    case "steady":
      return `steady ${sizes.steady.perSecond} updates/s for ${sizes.steady.seconds} s over ${count(sizes.steady.objects)} objects`;
    case "hot":
      return `one hot key: ${count(sizes.hot)} updates`;
    case "children":
      return `${sizes.children.parents} parents × ${sizes.children.each} children, watched`;
    case "memory":
      return `caching ${count(sizes.memory)} metadata-only objects`;
  }
}

/** Three significant digits, without exponents. */
export function short(value: number): string {
  if (!Number.isFinite(value)) return "–";
  if (Math.abs(value) >= 100) return Math.round(value).toLocaleString("en-US");
  return String(Number(value.toPrecision(3)));
}

const withSpread = (spread: Spread | undefined) =>
  spread ? `${short(spread.median)}${spread.samples.length > 1 ? ` (${short(spread.min)}–${short(spread.max)})` : ""}` : "–";
const plain = (spread: Spread | undefined) => (spread ? short(spread.median) : "–");
const times = (value: number | undefined) => (value === undefined ? "–" : `×${value.toFixed(2)}`);

/** The whole run in words: a table for each workload, with ratios to controller-runtime. */
export function tables(summaries: readonly Summary[], sizes: Sizes): string {
  const workloads = [...new Set(summaries.map(({ workload }) => workload))];
  return workloads
    .map((workload) => {
      const own = summaries.filter((summary) => summary.workload === workload);
      return `${titleOf(workload, sizes)}\n${layOut(workload === "memory" ? memoryRows(own) : workRows(own))}`;
    })
    .join("\n\n");
}

function workRows(summaries: readonly Summary[]): Row[] {
  const other = summaries.find(({ operator }) => operator === reference)?.figures ?? {};
  const head = [
    "",
    "units/s",
    "ratio",
    "CPU ms/unit",
    "ratio",
    "p50 ms",
    "p99 ms",
    "ratio",
    "RSS idle",
    "peak MiB",
    "passes",
    "requests/unit",
  ];
  return [
    head,
    ...summaries.map(({ operator, figures, requests, done, units }) => [
      labels[operator] + (done < units ? ` (${Math.floor((100 * done) / units)} % done)` : ""),
      withSpread(figures.unitsPerSecond),
      times(ratio(figures.unitsPerSecond, other.unitsPerSecond)),
      withSpread(figures.cpuMillisecondsPerUnit),
      times(ratio(figures.cpuMillisecondsPerUnit, other.cpuMillisecondsPerUnit)),
      plain(figures.p50Milliseconds),
      withSpread(figures.p99Milliseconds),
      times(ratio(figures.p99Milliseconds, other.p99Milliseconds)),
      plain(figures.rssIdleMebibytes),
      plain(figures.rssPeakMebibytes),
      plain(figures.passesPerUnit),
      requestsText(requests),
    ]),
  ];
}

/** Verbs with at least a hundredth of a request per unit. */
export function requestsText(requests: Readonly<Record<string, number>>): string {
  const named = Object.entries(requests).filter(([, perUnit]) => perUnit >= 0.01);
  return named.map(([verb, perUnit]) => `${verb} ${short(perUnit)}`).join(", ") || "none";
}

function memoryRows(summaries: readonly Summary[]): Row[] {
  const other = summaries.find(({ operator }) => operator === reference)?.figures ?? {};
  return [
    ["", "RSS empty MiB", "growth MiB", "ratio", "KiB/object", "peak MiB", "sync ms"],
    ...summaries.map(({ operator, figures }) => [
      labels[operator],
      withSpread(figures.rssIdleMebibytes),
      withSpread(figures.rssGrowthMebibytes),
      times(ratio(figures.rssGrowthMebibytes, other.rssGrowthMebibytes)),
      plain(figures.growthKibibytesPerObject),
      plain(figures.rssPeakMebibytes),
      plain(figures.syncMilliseconds),
    ]),
  ];
}
