import { describe, expect, test } from "vitest";
import { z } from "zod";
import { parseObject } from "../api/schema.ts";
import { type Condition, conditionsOf } from "./conditions.ts";
import { failed, type Outcome, progressing, ready, stalled, succeeded, unchanged, waiting } from "./outcome.ts";
import { contradictsEnding, nextStatus } from "./status.ts";

const now = new Date("2026-01-01T00:00:00Z");
const object = (status?: object, generation = 2) => ({ apiVersion: "e/v1", kind: "W", metadata: { name: "a", generation }, status });
const words = (status: Record<string, unknown> | undefined) =>
  conditionsOf({ status })
    .map((condition) => `${condition.type}=${condition.status}`)
    .sort();

describe("the next status", () => {
  test.each<[string, Outcome, string[]]>([
    ["ready", ready(), ["Ready=True"]],
    ["progressing", progressing("R", "m"), ["Ready=False", "Reconciling=True"]],
    ["waiting", waiting("R", "m", 5), ["Ready=False", "Reconciling=True"]],
    ["stalled", stalled("R", "m"), ["Ready=False", "Stalled=True"]],
    ["failed", failed("R", "m"), ["Failed=True", "Ready=False", "Stalled=True"]],
    ["succeeded", succeeded(), ["Ready=True", "Succeeded=True"]],
  ])("of %s speaks kstatus, and takes away what no longer holds", (_kind, outcome, expected) => {
    for (const before of [undefined, progressing("R", "m"), stalled("R", "m"), ready()]) {
      const old = before && nextStatus(object(), before, now);
      expect(words(nextStatus(object(old), outcome, now) ?? old)).toEqual(expected);
    }
  });

  test("carries the generation, in itself and in every condition of the outcome", () => {
    const status = nextStatus(object(), ready(), now);
    expect(status).toMatchObject({ observedGeneration: 2, conditions: [{ observedGeneration: 2 }] });
  });

  test("is undefined when it would say nothing new, however late it is", () => {
    const outcome = ready({ size: 1, nested: { list: [1, 2] } }).condition({ type: "Extra", status: "Unknown", reason: "R" });
    const status = nextStatus(object(), outcome, now);
    expect(nextStatus(object(status), outcome, new Date("2027-01-01T00:00:00Z"))).toBeUndefined();
    expect(nextStatus(object(status, 3), outcome, now)).toBeDefined();
  });

  test("keeps fields that the outcome does not name, replaces named ones, removes undefined ones", () => {
    const status = nextStatus(object({ kept: 1, replaced: { a: 1 }, removed: 1 }), ready({ replaced: { b: 2 }, removed: undefined }), now);
    expect(status).toMatchObject({ kept: 1, replaced: { b: 2 } });
    expect(status?.replaced).toEqual({ b: 2 });
    expect(status).not.toHaveProperty("removed");
  });

  test("takes no conditions and no generation from a spread status", () => {
    const stale: Condition = { type: "Ready", status: "False", reason: "Old", message: "", lastTransitionTime: "2020-01-01T00:00:00Z" };
    const status = nextStatus(object(), ready({ conditions: [stale], observedGeneration: 99 }), now);
    expect(status).toMatchObject({ observedGeneration: 2, conditions: [{ type: "Ready", status: "True" }] });
  });

  test("keeps extra conditions of earlier outcomes", () => {
    const old = nextStatus(object(), progressing("R", "m").condition({ type: "GatePassed", status: "True", reason: "R" }), now);
    expect(words(nextStatus(object(old), ready(), now))).toEqual(["GatePassed=True", "Ready=True"]);
  });

  test("lets an outcome overrule the framework's own conditions: ready while it rolls", () => {
    const outcome = progressing("Rolling", "m").condition({ type: "Ready", status: "True", reason: "Serving" });
    expect(words(nextStatus(object(), outcome, now))).toEqual(["Ready=True", "Reconciling=True"]);
  });

  test("of unchanged is none, or only the extra conditions", () => {
    expect(nextStatus(object({ x: 1 }), unchanged(), now)).toBeUndefined();
    const status = nextStatus(object({ x: 1 }), unchanged().condition({ type: "Seen", status: "True", reason: "R" }), now);
    expect(status).toMatchObject({ x: 1, conditions: [{ type: "Seen" }] });
  });
});

test("of a kind whose schema transforms its status is compared and written as the server holds it", () => {
  const schema = z.looseObject({
    status: z.looseObject({ since: z.iso.datetime().transform((text) => new Date(text)), seconds: z.string().transform(Number) }),
  });
  const since = "2026-01-01T00:00:00Z";
  const read = (status: object | undefined) => parseObject({ schema }, object(status));
  const first = nextStatus(read({ since, seconds: "3" }), ready({ phase: "a" }), now);
  expect(first).toMatchObject({ since, seconds: "3", phase: "a" });
  expect(nextStatus(read(first), ready({ phase: "a", since }), now)).toBeUndefined();
});

test("an ending can be repeated, or left alone, but not taken back", () => {
  const ended = object(nextStatus(object(), succeeded(), now));
  const verdicts = [succeeded(), unchanged(), ready(), progressing("R", "m"), failed("R", "m")].map((outcome) =>
    contradictsEnding(ended, outcome),
  );
  expect(verdicts).toEqual([false, false, true, true, true]);
  expect(contradictsEnding(object(), failed("R", "m"))).toBe(false);
});
