import { Metrics } from "kopf-ts";
import { createMetrics } from "../../../../workloads/adapter-loader/src/metrics.ts";

export interface Metric {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

/** The operator's registered metrics. */
export function ofOperator(): Metric[] {
  const all = new Metrics().registry.getMetricsAsArray() as unknown as { name: string; type: string; labelNames: string[] }[];
  return all.map(({ name, type, labelNames }) => ({ name, type, labels: labelNames.toSorted() }));
}

/** A loader's registered metrics, from /metrics. Labels are known only for metrics that have a value by then. */
export async function ofLoader(): Promise<Metric[]> {
  const metrics = createMetrics(() => ({ ready: true, adapters: { Loaded: 1 }, inFlight: 1, slots: 4 }));
  metrics.loaded(1, "load");
  metrics.refused("NotFinite");
  metrics.canary("Matched");
  metrics.restarted();
  metrics.request("/v1/completions", 200, 1);
  const text = await metrics.text();
  return [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = "", type = ""]) => ({ name, type, labels: labelsOf(name, text) }));
}

/** Labels of one metric's samples, without `le`, which all buckets have. */
function labelsOf(name: string, text: string): string[] {
  const samples = [...text.matchAll(new RegExp(`^${name}(?:_bucket|_sum|_count)?\\{(.*)\\} `, "gm"))];
  const labels = samples.flatMap(([, inside = ""]) => [...inside.matchAll(/(\w+)="/g)].map(([, label = ""]) => label));
  return [...new Set(labels)].filter((label) => label !== "le").sort();
}

/** The names that can be queried: three series for a histogram. */
export function seriesOf({ name, type, labels }: Metric): Metric[] {
  if (type !== "histogram") return [{ name, type, labels }];
  return [
    { name: `${name}_bucket`, type, labels: [...labels, "le"] },
    { name: `${name}_sum`, type, labels },
    { name: `${name}_count`, type, labels },
  ];
}
