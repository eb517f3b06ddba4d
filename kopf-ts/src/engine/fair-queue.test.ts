import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FairQueue, type ReadyKey } from "./fair-queue.ts";

interface Filed extends ReadyKey {
  priority: number;
  sequence: number;
}
const namespaceOf = ({ key }: ReadyKey) => (key.includes("/") ? key.slice(0, key.indexOf("/")) : "");

/** The slow way: all keys in an array, and by namespace those that were served since it last had none, or was served. */
class Model {
  readonly keys: Filed[] = [];
  readonly #served = new Map<string, Set<string>>();

  push(key: Filed): void {
    if (!this.#served.has(namespaceOf(key))) this.#served.set(namespaceOf(key), new Set());
    this.keys.push(key);
  }

  /** Fails unless `key` is the first of its namespace, and no other namespace has waited through a turn of it already. */
  expectNext(key: Filed): void {
    const namespace = namespaceOf(key);
    const mine = this.keys.filter((other) => namespaceOf(other) === namespace);
    expect(mine.toSorted((a, b) => b.priority - a.priority || a.sequence - b.sequence)[0]).toBe(key);
    this.keys.splice(this.keys.indexOf(key), 1);
    this.#served.delete(namespace);
    for (const [waiting, served] of this.#served) {
      expect(served.has(namespace), `${namespace} comes a second time before ${waiting}`).toBe(false);
      served.add(namespace);
    }
    if (mine.length > 1) this.#served.set(namespace, new Set());
  }
}

describe("a queue of ready keys", () => {
  test("property: each is ordered, and between two keys of one every other gets at most one, whatever comes and goes", () => {
    const step = fc.oneof(
      fc.record({
        do: fc.constant("push" as const),
        namespace: fc.constantFrom("a/", "b/", "c/", ""),
        priority: fc.integer({ min: -1, max: 1 }),
      }),
      fc.record({ do: fc.constant("pop" as const) }),
      fc.record({ do: fc.constant("raise" as const), which: fc.nat() }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 150 }), (steps) => {
        const [queue, model] = [new FairQueue<Filed>(), new Model()];
        let sequence = 0;
        const pop = () => {
          const key = queue.pop();
          if (key) model.expectNext(key);
          else expect(model.keys).toEqual([]);
        };
        for (const one of steps) {
          sequence += 1;
          if (one.do === "pop") pop();
          if (one.do === "push") {
            const key = { key: `${one.namespace}${sequence}`, priority: one.priority, sequence, place: -1 };
            model.push(key);
            queue.push(key);
          }
          const raised = one.do === "raise" ? model.keys[one.which % model.keys.length] : undefined;
          if (raised) {
            Object.assign(raised, { priority: raised.priority + 1, sequence });
            queue.refile(raised);
          }
          expect(queue.size).toBe(model.keys.length);
        }
        while (model.keys.length > 0) pop();
        expect(queue.pop()).toBeUndefined();
      }),
      { numRuns: 300 },
    );
  });

  test("a namespace without keys takes no turn, however many had some before", () => {
    const queue = new FairQueue<Filed>();
    const push = (key: string, sequence = 0) => queue.push({ key, priority: 0, sequence, place: -1 });
    for (let i = 0; i < 1000; i += 1) push(`namespace-${i}/one`);
    for (let i = 0; i < 1000; i += 1) queue.pop();
    push("a/1", 1);
    push("a/2", 2);
    push("b/1", 3);
    expect([queue.pop()?.key, queue.pop()?.key, queue.pop()?.key, queue.pop()]).toEqual(["a/1", "b/1", "a/2", undefined]);
  });
});
