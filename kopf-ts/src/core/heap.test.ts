import fc from "fast-check";
import { expect, test } from "vitest";
import { Heap } from "./heap.ts";

test("a heap gives its items back in order, whatever was removed from its middle", () => {
  const items = fc.array(fc.record({ value: fc.integer({ min: 0, max: 50 }), removed: fc.boolean() }), { maxLength: 80 });
  fc.assert(
    fc.property(items, (plan) => {
      const heap = new Heap<{ value: number; place: number }>((a, b) => a.value < b.value);
      const entries = plan.map(({ value, removed }) => ({ value, removed, place: -1 }));
      for (const entry of entries) heap.push(entry);
      for (const entry of entries) if (entry.removed) expect(heap.remove(entry)).toBe(true);
      for (const entry of entries) if (entry.removed) expect(heap.remove(entry)).toBe(false);
      const order: number[] = [];
      for (let next = heap.pop(); next; next = heap.pop()) order.push(next.value);
      const left = entries.filter(({ removed }) => !removed).map(({ value }) => value);
      expect(order).toEqual(left.sort((a, b) => a - b));
    }),
  );
});
