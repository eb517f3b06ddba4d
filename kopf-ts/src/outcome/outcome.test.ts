import { describe, expect, test } from "vitest";
import { failed, progressing, ready, stalled, succeeded, unchanged, waiting } from "./outcome.ts";

const thing = (name: string) => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name } });

describe("an outcome", () => {
  test("is a value that tests can read", () => {
    const outcome = waiting("NotYet", "the server is not up", 5, { tries: 1 })
      .applying(thing("a"))
      .creating(thing("b"))
      .deleting(thing("c"));
    expect(outcome).toMatchObject({
      kind: "waiting",
      reason: "NotYet",
      message: "the server is not up",
      status: { tries: 1 },
      requeueAfterSeconds: 5,
      applies: [{ metadata: { name: "a" } }],
      creates: [{ metadata: { name: "b" } }],
      deletes: [{ metadata: { name: "c" } }],
    });
  });

  test("is never changed: every method answers a new one", () => {
    const first = ready();
    const second = first
      .applying(thing("a"))
      .event("Normal", "R", "n")
      .effect("e", async () => {})
      .finalizer("f", true)
      .again(1);
    expect(first).toEqual(ready());
    expect(second.effects.map(({ name }) => name)).toEqual(["e"]);
    expect(second.finalizers).toEqual({ f: true });
  });

  test("looks again at the soonest of the wished times", () => {
    expect(ready().again(30).again(10).again(20).requeueAfterSeconds).toBe(10);
    expect(waiting("R", "m", 60).again(5).requeueAfterSeconds).toBe(5);
    expect(progressing("R", "m").requeueAfterSeconds).toBeUndefined();
  });

  test("says its kind, and reasons where none is given", () => {
    expect([ready(), succeeded(), failed("F", "m"), stalled("S", "m"), unchanged()].map(({ kind, reason }) => [kind, reason])).toEqual([
      ["ready", "Ready"],
      ["succeeded", "Succeeded"],
      ["failed", "F"],
      ["stalled", "S"],
      ["unchanged", ""],
    ]);
  });
});
