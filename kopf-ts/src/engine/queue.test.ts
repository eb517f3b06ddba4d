import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { settle, VirtualClock } from "../testing/virtual-clock.ts";
import { WorkQueue } from "./queue.ts";

function newQueue() {
  const clock = new VirtualClock();
  return { clock, queue: new WorkQueue({ clock }) };
}

/** Takes at most so many keys of those that are ready now, in order, returning each at once. */
function take(queue: WorkQueue, most: number): string[] {
  const keys: string[] = [];
  for (let taken = queue.tryTake(); taken; taken = keys.length < most ? queue.tryTake() : undefined) {
    keys.push(taken.key);
    queue.done(taken.key);
  }
  return keys;
}

const drain = (queue: WorkQueue) => take(queue, Number.POSITIVE_INFINITY);

describe("the work queue", () => {
  test("hands out a key never twice at once", () => {
    const { queue } = newQueue();
    queue.add("a");
    expect(queue.tryTake()?.key).toBe("a");
    queue.add("a");
    expect(queue.tryTake()).toBeUndefined();
    queue.done("a");
    expect(queue.tryTake()?.key).toBe("a");
  });

  test("hands out a key that was added while it ran exactly once more", () => {
    const { queue } = newQueue();
    queue.add("a");
    queue.tryTake();
    for (let i = 0; i < 5; i += 1) queue.add("a");
    queue.done("a");
    expect(drain(queue)).toEqual(["a"]);
    expect(queue.length).toBe(0);
  });

  test("collapses duplicate adds; the soonest time and the highest priority win", async () => {
    const { queue, clock } = newQueue();
    queue.add("late", { afterMilliseconds: 500, priority: 5 });
    queue.add("other", { afterMilliseconds: 100, priority: 1 });
    queue.add("late", { afterMilliseconds: 100, priority: -5 });
    queue.add("late", { afterMilliseconds: 900 });
    await clock.advance(100);
    expect(drain(queue)).toEqual(["late", "other"]);
    await clock.advance(1_000);
    expect(drain(queue)).toEqual([]);
  });

  test("a later time never postpones a key that is ready", () => {
    const { queue } = newQueue();
    queue.add("a");
    queue.add("a", { afterMilliseconds: 10_000 });
    expect(drain(queue)).toEqual(["a"]);
  });

  test("a raised priority goes behind its equals", () => {
    const { queue } = newQueue();
    queue.add("low", { priority: 0 });
    queue.add("first", { priority: 10 });
    queue.add("second", { priority: 10 });
    queue.add("low", { priority: 10 });
    expect(drain(queue)).toEqual(["first", "second", "low"]);
  });

  test("keys of the initial list yield to live changes", () => {
    const { queue } = newQueue();
    for (const key of ["a", "b", "c"]) queue.add(key, { priority: -100 });
    queue.add("live");
    queue.add("c");
    expect(drain(queue)).toEqual(["live", "c", "a", "b"]);
  });

  test("failures back off per key, doubling from 5 ms to 1,000 s; success resets", () => {
    const { queue } = newQueue();
    expect([1, 2, 3, 4].map(() => queue.retry("a"))).toEqual([5, 10, 20, 40]);
    expect(queue.retry("b")).toBe(5);
    for (let i = 0; i < 40; i += 1) queue.retry("a");
    expect(queue.retry("a")).toBe(1_000_000);
    queue.forget("a");
    expect(queue.retry("a")).toBe(5);
  });

  test("a server's wish to wait longer is respected", () => {
    const { queue } = newQueue();
    expect(queue.retry("a", { atLeastMilliseconds: 3_000 })).toBe(3_000);
  });

  test("a delayed key blocks no ready one", async () => {
    const { queue, clock } = newQueue();
    queue.add("delayed", { afterMilliseconds: 60_000, priority: 100 });
    queue.add("ready", { priority: -100 });
    expect(drain(queue)).toEqual(["ready"]);
    await clock.advance(60_000);
    expect(drain(queue)).toEqual(["delayed"]);
  });

  test("a worker that waits gets a delayed key when its time has come", async () => {
    const { queue, clock } = newQueue();
    let got: string | undefined;
    void queue.take().then((taken) => {
      got = taken?.key;
    });
    queue.add("b", { afterMilliseconds: 5_000 });
    queue.add("a", { afterMilliseconds: 1_000 });
    await clock.advance(999);
    expect(got).toBeUndefined();
    await clock.advance(1);
    expect(got).toBe("a");
  });

  test("a delayed key that is running keeps its delay until after the run", async () => {
    const { queue, clock } = newQueue();
    queue.add("a");
    queue.tryTake();
    queue.add("a", { afterMilliseconds: 100 });
    await clock.advance(50);
    queue.done("a");
    expect(queue.tryTake()).toBeUndefined();
    await clock.advance(50);
    expect(queue.tryTake()?.key).toBe("a");
  });

  test("closing releases anyone who waits and takes on nothing more", async () => {
    const { queue, clock } = newQueue();
    const waiting = queue.take();
    queue.add("later", { afterMilliseconds: 10 });
    queue.close();
    queue.add("b");
    await settle();
    expect(await waiting).toBeUndefined();
    expect(await queue.take()).toBeUndefined();
    expect(clock.pending).toBe(0);
  });

  test("a namespace's only key is handed out after one of another's thousand, whichever was there first", () => {
    const { queue } = newQueue();
    for (let i = 0; i < 1000; i += 1) queue.add(`crowd/${i}`);
    queue.add("quiet/only");
    expect(take(queue, 2)).toEqual(["crowd/0", "quiet/only"]);
    queue.add("quiet/only");
    expect(take(queue, 2)).toEqual(["crowd/1", "quiet/only"]);
    expect(queue.readyLength).toBe(998);
  });

  test("a key that comes back at once, again and again, keeps no other namespace waiting, and gets its own share", () => {
    const { queue } = newQueue();
    for (let i = 0; i < 3; i += 1) queue.add(`a/${i}`);
    queue.add("b/busy");
    const keys: string[] = [];
    for (let i = 0; i < 6; i += 1) {
      const [key = ""] = take(queue, 1);
      keys.push(key);
      if (key === "b/busy") queue.add(key);
    }
    expect(keys).toEqual(["a/0", "b/busy", "a/1", "b/busy", "a/2", "b/busy"]);
  });

  test("the first list of one namespace doesn't wait for the live changes of another", () => {
    const { queue } = newQueue();
    queue.add("quiet/old", { priority: -100 });
    for (let i = 0; i < 3; i += 1) queue.add(`crowd/${i}`);
    expect(drain(queue)).toEqual(["quiet/old", "crowd/0", "crowd/1", "crowd/2"]);
  });

  test("a raised priority costs a namespace's only key no turn", () => {
    const { queue } = newQueue();
    queue.add("a/1");
    queue.add("quiet/only", { priority: -100 });
    queue.add("b/1");
    queue.add("quiet/only", { priority: 100 });
    expect(drain(queue)).toEqual(["a/1", "quiet/only", "b/1"]);
  });

  test("objects without a namespace have a line of their own", () => {
    const { queue } = newQueue();
    for (const key of ["a/1", "a/2", "a/3", "node-1", "node-2"]) queue.add(key);
    expect(drain(queue)).toEqual(["a/1", "node-1", "a/2", "node-2", "a/3"]);
  });

  test("keys whose delay is over join the line of their namespace", async () => {
    const { queue, clock } = newQueue();
    for (let i = 0; i < 1000; i += 1) queue.add(`crowd/${i}`, { afterMilliseconds: 10 });
    queue.add("quiet/only", { afterMilliseconds: 10 });
    await clock.advance(10);
    expect(take(queue, 2)).toContain("quiet/only");
  });

  test("property: no key is missed and none is handed out twice at once, whatever the order of events", async () => {
    const key = fc.constantFrom("a", "b", "x/c", "x/d", "y/e");
    const step = fc.oneof(
      fc.record({ do: fc.constant("add" as const), key, after: fc.constantFrom(0, 0, 3, 50), priority: fc.integer({ min: -2, max: 2 }) }),
      fc.record({ do: fc.constant("retry" as const), key }),
      fc.record({ do: fc.constant("take" as const) }),
      fc.record({ do: fc.constant("done" as const), key }),
      fc.record({ do: fc.constant("wait" as const), milliseconds: fc.integer({ min: 1, max: 30 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const { queue, clock } = newQueue();
        const running = new Set<string>();
        const owed = new Set<string>();
        const takeOne = () => {
          const taken = queue.tryTake();
          if (!taken) return false;
          expect(running.has(taken.key)).toBe(false);
          expect(owed.delete(taken.key)).toBe(true);
          running.add(taken.key);
          return true;
        };
        for (const one of steps) {
          if (one.do === "add") queue.add(one.key, { afterMilliseconds: one.after, priority: one.priority });
          if (one.do === "retry") queue.retry(one.key);
          if (one.do === "add" || one.do === "retry") owed.add(one.key);
          if (one.do === "take") takeOne();
          if (one.do === "done" && running.delete(one.key)) queue.done(one.key);
          if (one.do === "wait") await clock.advance(one.milliseconds);
        }
        for (const held of running) queue.done(held);
        running.clear();
        await clock.advance(2_000_000);
        while (takeOne()) {}
        expect([...owed]).toEqual([]);
        expect(queue.length).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});
