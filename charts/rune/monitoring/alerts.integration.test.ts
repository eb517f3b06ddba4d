import { run } from "@rune/cluster/shell";
import { beforeAll, expect, test } from "vitest";
import { promtoolPath } from "./promtool.ts";

const cwd = import.meta.dirname;
let promtool: string;

beforeAll(async () => {
  promtool = await promtoolPath();
}, 1_800_000);

test("promtool takes the alerts for rules, without anything to complain of", async () => {
  expect(await run(promtool, ["check", "rules", "--lint=all", "--lint-fatal", "alerts.yaml"], { cwd })).toContain("SUCCESS");
});

test("promtool sees every alert fire and be silent as its tests say", async () => {
  expect(await run(promtool, ["test", "rules", "alerts.test.yaml"], { cwd })).toContain("SUCCESS");
});
