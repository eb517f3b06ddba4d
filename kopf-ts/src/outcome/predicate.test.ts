import { describe, expect, test } from "vitest";
import type { DynamicObject } from "../api/object.ts";
import { Store } from "../cache/store.ts";
import { allOf, annotationsChanged, anyOf, fieldChanged, generationChanged, labelsChanged, not } from "./predicate.ts";

const object = (metadata: Partial<DynamicObject["metadata"]>, color = "red"): DynamicObject => ({
  apiVersion: "v1",
  kind: "Thing",
  metadata: { name: "a", uid: "1", resourceVersion: "1", generation: 1, ...metadata },
  spec: { color },
});
const updated = (next: DynamicObject, old = object({})) => ({ type: "updated", object: next, old }) as const;

describe("predicates", () => {
  test("generationChanged stops updates of status and metadata", () => {
    expect(generationChanged(updated(object({ resourceVersion: "2" })))).toBe(false);
    expect(generationChanged(updated(object({ generation: 2 })))).toBe(true);
    expect(generationChanged({ type: "deleted", object: object({}) })).toBe(true);
  });

  test("generationChanged passes a recreated object of equal generation", () => {
    const store = new Store<DynamicObject>();
    store.put(object({ uid: "first" }));
    const changes = store.put(object({ uid: "second", resourceVersion: "9" }));
    expect(changes.map((change) => generationChanged(change))).toEqual([true, true]);
  });

  test("labels, annotations and fields are compared by value", () => {
    expect(labelsChanged(updated(object({ labels: { a: "1" } }), object({ labels: { a: "1" } })))).toBe(false);
    expect(labelsChanged(updated(object({ labels: { a: "2" } }), object({ labels: { a: "1" } })))).toBe(true);
    expect(annotationsChanged(updated(object({ annotations: { a: "2" } })))).toBe(true);
    const colorChanged = fieldChanged<DynamicObject>(({ spec }) => spec.color);
    expect(colorChanged(updated(object({}, "blue")))).toBe(true);
    expect(colorChanged(updated(object({ generation: 2 })))).toBe(false);
  });

  test("can be combined", () => {
    const relabelled = updated(object({ labels: { a: "2" } }));
    expect(anyOf(generationChanged, labelsChanged)(relabelled)).toBe(true);
    expect(allOf(generationChanged, labelsChanged)(relabelled)).toBe(false);
    expect(not(generationChanged)(relabelled)).toBe(true);
  });
});
