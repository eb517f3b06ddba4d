import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { dashboards } from "../dashboards.ts";

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: string };
  readonly annotations: Readonly<Record<string, string>>;
}

export interface AlertTest {
  readonly eval_time: string;
  readonly alertname: string;
  readonly exp_alerts: readonly object[];
}

const read = (name: string) => parse(readFileSync(join(import.meta.dirname, "..", name), "utf8"));

export const alerts: readonly Alert[] = read("alerts.yaml").groups.flatMap(({ rules }: { rules: Alert[] }) => rules);

/** The expectations of alerts.test.yaml, with their times. */
export const alertTests: readonly AlertTest[] = read("alerts.test.yaml").tests.flatMap(
  ({ alert_rule_test = [] }: { alert_rule_test?: AlertTest[] }) => alert_rule_test,
);

/** Every expression of alerts and dashboards, with its place. */
export const expressions: readonly (readonly [place: string, expression: string])[] = [
  ...alerts.map(({ alert, expr }) => [alert, expr] as const),
  ...Object.entries(dashboards).flatMap(([file, { panels, variables }]) => [
    ...panels.flatMap(({ title, queries }) => queries.map(([legend, expression]) => [`${file}: ${title}: ${legend}`, expression] as const)),
    ...Object.entries(variables).map(([name, expression]) => [`${file}: variable ${name}`, expression] as const),
  ]),
];
