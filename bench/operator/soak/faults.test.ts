import { expect, test } from "vitest";
import { planFor, quietFromSeconds } from "./faults.ts";

test("in thirty minutes everything that can happen happens, and processes are left alone in the last twenty", () => {
  const plan = planFor(30);
  const times = (fault: string) => plan.filter((planned) => planned.fault === fault).map(({ atSeconds }) => atSeconds);
  expect(times("reset connections")).toHaveLength(89);
  expect(times("expire watches")).toHaveLength(29);
  expect(times("restart the API server")).toHaveLength(3);
  expect(times("take the Lease")).toHaveLength(2);
  expect(quietFromSeconds(30)).toBe(600);
  expect(Math.max(...times("take the Lease"))).toBeLessThan(600);
});

test("a short soak has every fault too, in order of time, none after the end", () => {
  const plan = planFor(3);
  expect(new Set(plan.map(({ fault }) => fault)).size).toBe(5);
  expect(plan.every(({ atSeconds }, index) => atSeconds < 180 && atSeconds >= (plan[index - 1]?.atSeconds ?? 0))).toBe(true);
});
