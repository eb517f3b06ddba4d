import { describe, expect, test } from "vitest";
import { dashboards, rendered, stale } from "./dashboards.ts";
import { alerts, alertTests, expressions } from "./testing/files.ts";
import { read } from "./testing/promql.ts";
import { ofLoader, ofOperator, seriesOf } from "./testing/registered.ts";

/** Labels that every scraped series gets from its target. */
const ofTarget = ["job", "namespace", "pod"];
/** Metrics of Prometheus and the kubelets; docs/operating.md has the same list, which its test compares. */
const ofCluster: Record<string, string[]> = {
  up: [],
  container_cpu_usage_seconds_total: ["container"],
  container_memory_working_set_bytes: ["container"],
  container_start_time_seconds: ["container"],
  kubelet_volume_stats_available_bytes: ["persistentvolumeclaim"],
  kubelet_volume_stats_capacity_bytes: ["persistentvolumeclaim"],
  kubelet_volume_stats_used_bytes: ["persistentvolumeclaim"],
};
const registered = [...ofOperator(), ...(await ofLoader())].flatMap(seriesOf);
const known = new Map([...Object.entries(ofCluster), ...registered.map(({ name, labels }) => [name, labels] as const)]);
const labelsOf = (metric: string) => [...ofTarget, ...(known.get(metric) ?? [])];

describe.each(expressions)("%s", (_, expression) => {
  const { mistakes, selectors, groupedBy } = read(expression);

  test("is PromQL", () => {
    expect(mistakes).toEqual([]);
    expect(selectors.length).toBeGreaterThan(0);
  });

  test("asks for metrics that exist, by labels that they have", () => {
    expect(selectors.filter(({ metric }) => !known.has(metric))).toEqual([]);
    expect(selectors.filter(({ metric, labels }) => labels.some((label) => !labelsOf(metric).includes(label)))).toEqual([]);
    const all = selectors.flatMap(({ metric }) => labelsOf(metric));
    expect(groupedBy.filter((label) => !all.includes(label))).toEqual([]);
  });
});

test("a mistake, an unknown metric and an unknown label are found", () => {
  expect(read("sum(rate(up[5m])").mistakes).not.toEqual([]);
  expect(read('sum by (pod) (a{job="x"}) / b_total')).toEqual({
    mistakes: [],
    selectors: [
      { metric: "a", labels: ["job"] },
      { metric: "b_total", labels: [] },
    ],
    groupedBy: ["pod"],
  });
  expect(known.has("rune_loader_load_seconds")).toBe(false);
});

describe.each(alerts.map((alert) => [alert.alert, alert] as const))("the alert %s", (name, { labels, annotations }) => {
  test("says how bad it is, and what has happened", () => {
    expect(["critical", "warning"]).toContain(labels.severity);
    expect(Object.keys(annotations).sort()).toEqual(["description", "summary"]);
  });

  test("is tested by promtool both where it fires and where it doesn't", () => {
    const own = alertTests.filter(({ alertname }) => alertname === name);
    expect(own.some(({ exp_alerts }) => exp_alerts.length > 0)).toBe(true);
    expect(own.some(({ exp_alerts }) => exp_alerts.length === 0)).toBe(true);
  });
});

test("promtool is asked about no alert that isn't there, and names stand for one alert each", () => {
  const names = alerts.map(({ alert }) => alert);
  expect(new Set(names).size).toBe(names.length);
  expect(alertTests.filter(({ alertname }) => !names.includes(alertname))).toEqual([]);
});

describe("the dashboards", () => {
  test("in generated/ are what their source makes", () => {
    expect(stale(), "run `npm run generate`").toEqual([]);
  });

  test.each(Object.keys(dashboards))("%s has panels beside and below each other, each with a description", (name) => {
    interface Drawn {
      description: string;
      gridPos: { x: number; y: number; w: number; h: number };
    }
    const { panels } = JSON.parse(rendered()[`${name}.json`] ?? "{}") as { panels: Drawn[] };
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, index) => `${x + (index % w)},${y + Math.floor(index / w)}`),
    );
    expect(panels.length).toBeGreaterThan(5);
    expect(new Set(cells).size).toBe(cells.length);
    expect(Math.max(...panels.map(({ gridPos: { x, w } }) => x + w))).toBeLessThanOrEqual(24);
    expect(panels.filter(({ description }) => !description.endsWith("."))).toEqual([]);
  });
});
