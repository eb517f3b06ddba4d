import { goCommand } from "@rune/cluster/programs";
import { run } from "@rune/cluster/shell";
import { beforeAll, expect, test } from "vitest";

const cwd = import.meta.dirname;
/** Prometheus' own rule tester, compiled once. Without service discovery, its largest part, which no rule needs. */
let promtool: string;

beforeAll(async () => {
  promtool = await goCommand("github.com/prometheus/prometheus/cmd/promtool", "v0.316.0", ["remove_all_sd"]);
}, 1_800_000);

test("promtool takes the alerts for rules, without anything to complain of", async () => {
  expect(await run(promtool, ["check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"], { cwd })).toContain("SUCCESS");
});

test("promtool sees every alert fire and be silent as its tests say", async () => {
  expect(await run(promtool, ["test", "rules", "alerts.test.yaml"], { cwd })).toContain("SUCCESS");
});
