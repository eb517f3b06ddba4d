import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { alerts, expressions } from "../charts/rune/monitoring/testing/files.ts";
import { read } from "../charts/rune/monitoring/testing/promql.ts";
import { type Metric, ofLoader, ofOperator, seriesOf } from "../charts/rune/monitoring/testing/registered.ts";
import { port } from "../crds/words/ports.ts";

const root = join(import.meta.dirname, "..");
const page = readFileSync(join(root, "docs/operating.md"), "utf8");
const runbooks = readFileSync(join(root, "docs/runbooks.md"), "utf8");

/** The text below a heading, until the next one of its level or a higher one. */
function section(heading: string): string {
  const level = /^#+/.exec(heading)?.[0].length ?? 1;
  const [, text = ""] = page.split(`\n${heading}\n`);
  return text.split(new RegExp(`^#{1,${level}} `, "m"))[0] ?? "";
}

/** Rows of the tables whose first cell is code, as their cells. */
const rowsOf = (text: string) =>
  [...text.matchAll(/^\| `(.+) \|$/gm)].map(([, row = ""]) => `\`${row}`.split(/ \| /).map((cell) => cell.trim()));
const codes = (cell: string) => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);
const metricsOf = (heading: string): Metric[] =>
  rowsOf(section(heading)).map(([name = "", type = "", labels = ""]) => ({
    name: codes(name)[0] ?? "",
    type,
    labels: codes(labels).sort(),
  }));
const byName = (a: Metric, b: Metric) => a.name.localeCompare(b.name);
const own = ({ name }: Metric) => name.startsWith("rune_");

describe("the page's metrics are those that the code registers, with type and labels", () => {
  test("of the operator", () => {
    expect(metricsOf("### The operator").sort(byName)).toEqual(ofOperator().sort(byName));
  });

  test("of the loader", async () => {
    const found = await ofLoader();
    expect(metricsOf("### The loader of a ModelServer's pod").filter(own).sort(byName)).toEqual(found.filter(own).sort(byName));
  });

  test("of the loader's process, whose labels show only in values", async () => {
    const told = metricsOf("### The loader of a ModelServer's pod").filter((metric) => !own(metric));
    const found = (await ofLoader()).filter((metric) => !own(metric));
    const named = ({ name, type }: Metric) => `${name} ${type}`;
    expect(told.map(named).sort()).toEqual(found.map(named).sort());
    const labels = new Map(told.map((metric) => [metric.name, metric.labels]));
    expect(found.filter((metric) => metric.labels.some((label) => !labels.get(metric.name)?.includes(label)))).toEqual([]);
    expect(labels.get("nodejs_heap_space_size_used_bytes")).toEqual(["space"]);
  });

  test("and no other program registers any", () => {
    const sources = globSync("{operator,kopf-ts,crds,clients,controllers,workloads}/**/*.ts", {
      cwd: root,
      exclude: (name) => name === "node_modules" || name === "dist",
    });
    const registering = sources.filter((file) => /^import \{.*\} from "prom-client"/m.test(readFileSync(join(root, file), "utf8")));
    expect(registering.map((file) => file.split("/").at(-1))).toEqual(["metrics.ts", "metrics.ts"]);
  });
});

test("what alerts and dashboards ask the cluster for is what the page says", async () => {
  const ours = new Set([...ofOperator(), ...(await ofLoader())].flatMap(seriesOf).map(({ name }) => name));
  const asked = expressions.flatMap(([, expression]) => read(expression).selectors.map(({ metric }) => metric));
  expect(metricsOf("### Of the cluster").map(({ name }) => name)).toEqual(
    [...new Set(asked)].filter((name) => !ours.has(name)).sort((a, b) => order(a) - order(b) || a.localeCompare(b)),
  );
});

/** Prometheus' own first. */
const order = (name: string) => (name === "up" ? 0 : 1);

test("ports of the health endpoints are those of the code", () => {
  const endpoints = [...section("## Health endpoints and probes").matchAll(/^\| (\w+) \| (\d+) \| /gm)].map(([, program, number]) => [
    program,
    Number(number),
  ]);
  const allowed: Record<string, number[]> = {
    operator: [8080, port.canary, port.tokens],
    loader: [port.inference, port.metrics],
    sandbox: [port.runner],
    registry: [5000],
    NATS: [8222],
    MLflow: [5000],
  };
  expect(endpoints.length).toBeGreaterThan(10);
  expect(endpoints.filter(([program, number]) => !allowed[String(program)]?.includes(Number(number)))).toEqual([]);
});

describe("the runbooks", () => {
  const sections = runbooks.split(/^## /m).slice(1);

  test("have one section for each alert, in the order of the rules", () => {
    expect(sections.map((text) => text.split("\n", 1)[0])).toEqual(alerts.map(({ alert }) => alert));
  });

  test.each(sections.map((text) => [text.split("\n", 1)[0], text]))("%s says what it means, where to look and what to do", (_, text) => {
    expect(text.match(/^\*\*(Means|Look|Do):\*\*/gm)).toEqual(["**Means:**", "**Look:**", "**Do:**"]);
  });
});
