import { describe, expect, test } from "vitest";
import {
  type Condition,
  getCondition,
  isTerminal,
  isTrue,
  microTimestamp,
  removeCondition,
  setCondition,
  timestamp,
} from "./conditions.ts";

const noon = new Date("2026-01-01T12:00:00.123Z");
const later = new Date("2026-01-01T13:00:00Z");
const ready = { type: "Ready", status: "True", reason: "Fine", message: "all is well" } as const;

describe("setCondition", () => {
  test("stamps a new condition with the time and the generation", () => {
    expect(setCondition([], ready, { now: noon, observedGeneration: 3 })).toEqual([
      { ...ready, lastTransitionTime: "2026-01-01T12:00:00Z", observedGeneration: 3 },
    ]);
  });

  test("moves the time of transition only when the status changes", () => {
    const first = setCondition([], ready, { now: noon });
    const reworded = setCondition(first, { ...ready, reason: "Finer" }, { now: later });
    expect(reworded[0]).toMatchObject({ reason: "Finer", lastTransitionTime: timestamp(noon) });
    const fallen = setCondition(reworded, { ...ready, status: "False" }, { now: later });
    expect(fallen[0]).toMatchObject({ status: "False", lastTransitionTime: timestamp(later) });
  });

  test("answers the same list when nothing is new", () => {
    const first = setCondition([], ready, { now: noon, observedGeneration: 1 });
    expect(setCondition(first, ready, { now: later, observedGeneration: 1 })).toBe(first);
    expect(setCondition(first, ready, { now: later, observedGeneration: 2 })).not.toBe(first);
  });

  test("keeps the others and their order", () => {
    const other: Condition = { type: "Other", status: "True", reason: "R", message: "", lastTransitionTime: timestamp(noon) };
    const conditions = setCondition([other], ready, { now: noon });
    expect(conditions.map(({ type }) => type)).toEqual(["Other", "Ready"]);
    expect(removeCondition(conditions, "Ready")).toEqual([other]);
    const untouched = [other];
    expect(removeCondition(untouched, "Ready")).toBe(untouched);
  });
});

test("conditions are read from any object, also one without a status", () => {
  const object = { status: { conditions: setCondition([], ready, { now: noon }) } };
  expect(isTrue(object, "Ready")).toBe(true);
  expect(isTrue(object, "Stalled")).toBe(false);
  expect(getCondition({}, "Ready")).toBeUndefined();
});

test("an object has ended when it has succeeded or failed", () => {
  const withCondition = (type: string, status: "True" | "False") => ({
    status: { conditions: setCondition([], { type, status, reason: "R" }, { now: noon }) },
  });
  expect(isTerminal(withCondition("Succeeded", "True"))).toBe(true);
  expect(isTerminal(withCondition("Failed", "True"))).toBe(true);
  expect(isTerminal(withCondition("Failed", "False"))).toBe(false);
  expect(isTerminal(withCondition("Ready", "True"))).toBe(false);
});

test("times are written as the API writes them", () => {
  expect(timestamp(noon)).toBe("2026-01-01T12:00:00Z");
  expect(microTimestamp(noon)).toBe("2026-01-01T12:00:00.123000Z");
});
