import { expect, test } from "vitest";
import { coresOf } from "./cores.ts";
import { full, quick, settingsFrom } from "./settings.ts";

test("everything is measured three times unless less is asked for", () => {
  const settings = settingsFrom([]);
  expect(settings).toMatchObject({ form: "full", rounds: 3, sizes: full });
  expect(settings.operators).toHaveLength(4);
  expect(settingsFrom(["--quick", "--rounds", "1", "--only", "hot,burst", "--operators", "kopf-ts"])).toMatchObject({
    sizes: quick,
    rounds: 1,
    workloads: ["burst", "hot"],
    operators: ["kopf-ts"],
  });
});

test("a name that is not known is refused with those that are", () => {
  expect(() => settingsFrom(["--only", "brust"])).toThrow(
    '--only accepts burst, cold, coldLarge, steady, hot, children, memory, not "brust"',
  );
  expect(() => settingsFrom(["--rounds", "0"])).toThrow("whole number above 0");
});

test("the operator has the last core to itself, if there are two", () => {
  expect(coresOf(2)).toEqual({ operator: "1", others: "0", all: "0-1" });
  expect(coresOf(8)).toEqual({ operator: "7", others: "0-6", all: "0-7" });
  expect(coresOf(1)).toEqual({ operator: "0", others: "0", all: "0" });
});
