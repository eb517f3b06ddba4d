import { helmPath } from "@rune/cluster/tools";
import { label } from "@rune/crds/words/labels";
import { beforeAll, expect, test } from "vitest";
import { type Manifest, named, ofKind, render } from "../testing/render.ts";
import { alerts } from "./testing/files.ts";

const everything = { scrape: { enabled: true }, alerts: { enabled: true }, dashboards: { enabled: true } };
const dashboardsOf = (all: Manifest[]) => ofKind(all, "ConfigMap").filter(({ metadata }) => metadata.name.includes("-dashboard-"));
const rulesOf = (all: Manifest[]): Manifest[] =>
  ofKind(all, "PrometheusRule").flatMap(({ spec }) => spec.groups.flatMap(({ rules }: Manifest) => rules));
const shippedAlerts = alerts.map(({ alert }) => alert);

// The first call unpacks Helm.
beforeAll(async () => void (await helmPath()), 60_000);

test("is rendered only where it is switched on, because its CRDs may be missing", async () => {
  const all = await render();
  expect([...ofKind(all, "PodMonitor"), ...ofKind(all, "PrometheusRule"), ...dashboardsOf(all)]).toEqual([]);
});

test("scrapes the pods of this release's operator, and the loaders wherever the operator works", async () => {
  const all = await render({ monitoring: { ...everything, labels: { release: "prometheus" } } });
  const { metadata, spec } = named(all, "PodMonitor", "rune-operator");
  const pod = named(all, "Deployment", "rune-operator").spec.template;
  expect(pod.metadata.labels).toMatchObject(spec.selector.matchLabels);
  expect(pod.spec.containers[0].ports.map(({ name }: Manifest) => name)).toContain(spec.podMetricsEndpoints[0].port);
  expect(metadata.labels.release).toBe("prometheus");
  const loaders = named(all, "PodMonitor", "rune-loader").spec;
  expect(loaders.selector.matchLabels).toEqual({ [label.component]: "vllm" });
  expect(loaders.namespaceSelector).toEqual({ any: true });
  const listed = named(await render({ watchNamespaces: ["team-a"], monitoring: everything }), "PodMonitor", "rune-loader");
  expect(listed.spec.namespaceSelector).toEqual({ matchNames: ["team-a"] });
});

test("ships every alert as it is in its file", async () => {
  expect(rulesOf(await render({ monitoring: everything }))).toEqual(alerts);
});

test("leads from each alert to its section, where it is told the page's address", async () => {
  const runbooks = "https://git.example.org/rune/docs/runbooks.md";
  const rules = rulesOf(await render({ monitoring: { alerts: { enabled: true, runbooks } } }));
  expect(rules).toHaveLength(alerts.length);
  for (const { alert, annotations } of rules) expect(annotations.runbook_url).toBe(`${runbooks}#${alert.toLowerCase()}`);
});

test.each([
  ["leader election", { operator: { leaderElection: false } }, ["RuneOperatorWithoutLeader"]],
  ["a registry", { registry: { embedded: false, url: "https://registry.example.org" } }, ["RuneRegistryAbsent"]],
  ["NATS", { nats: { embedded: false, url: "nats://nats.example.org" } }, ["RuneNATSAbsent", "RuneLogVolumeFillsUp"]],
  ["MLflow", { mlflow: { enabled: false } }, ["RuneMLflowAbsent"]],
])("leaves out the alerts about %s that this release doesn't have", async (_, values, needless) => {
  const left = rulesOf(await render({ ...values, monitoring: everything })).map(({ alert }) => alert);
  expect(left).toEqual(shippedAlerts.filter((alert) => !needless.includes(alert)));
  expect(left).toHaveLength(shippedAlerts.length - needless.length);
});

test("has the dashboards as ConfigMaps that Grafana's sidecar finds", async () => {
  const dashboards = { enabled: true, annotations: { grafana_folder: "Rune" } };
  const all = dashboardsOf(await render({ monitoring: { dashboards } }));
  expect(all.map(({ metadata }) => metadata.name)).toEqual(["operator", "serving", "learning"].map((name) => `rune-dashboard-${name}`));
  for (const { metadata, data } of all) {
    expect(metadata).toMatchObject({ labels: { grafana_dashboard: "1" }, annotations: dashboards.annotations });
    const [[file = "", text = ""] = []] = Object.entries<string>(data);
    expect(JSON.parse(text).uid).toBe(file.replace(".json", ""));
  }
});

test("of another release in another namespace looks at nothing of this one", async () => {
  const all = await render({ monitoring: everything }, { release: "memory", namespace: "elsewhere" });
  const jobs = ofKind(all, "PodMonitor").map(({ spec }) => spec.podMetricsEndpoints[0].relabelings[0].replacement);
  expect(jobs).toEqual(["memory-rune-operator", "memory-rune-loader"]);
  const text = JSON.stringify([rulesOf(all), dashboardsOf(all).map(({ data }) => data)]);
  for (const job of jobs) expect(text).toContain(job);
  expect(text).toContain("memory-rune-registry");
  expect(text.replaceAll("memory-rune-", "")).not.toMatch(/rune-(system|operator|loader|registry|nats|mlflow)/);
});
