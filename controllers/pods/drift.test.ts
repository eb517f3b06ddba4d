import { describe, expect, it } from "vitest";
import { drifted, isWithin, stamped } from "./drift.ts";

const manifest = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { x: "1" } };

describe("drift", () => {
  it("ignores what the server added", () => {
    expect(isWithin(manifest, { ...manifest, metadata: { name: "a", uid: "u" }, immutable: false })).toBe(true);
  });

  it("sees a changed value, a shorter list and a missing object", () => {
    expect(isWithin({ a: [1, 2] }, { a: [1] })).toBe(false);
    expect(isWithin({ a: { b: "x" } }, { a: { b: "y" } })).toBe(false);
    expect(drifted([manifest], () => undefined)).toHaveLength(1);
  });

  it("sees that a field is no longer wanted, though the object still agrees with all that is", () => {
    const before = stamped({ ...manifest, data: { x: "1", y: "2" } });
    expect(drifted([manifest], () => before)).toEqual([stamped(manifest)]);
    expect(drifted([manifest], () => stamped(manifest))).toEqual([]);
  });
});
