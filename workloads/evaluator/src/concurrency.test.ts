import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { forEachLimited, limiter } from "./concurrency.ts";

async function most(at: (enter: () => Promise<void>) => Promise<void>): Promise<number> {
  let [inside, highest] = [0, 0];
  await at(async () => {
    inside += 1;
    highest = Math.max(highest, inside);
    await turn();
    inside -= 1;
  });
  return highest;
}

test("a crew works on every item, as many at once as it has hands", async () => {
  const done: number[] = [];
  const highest = await most((enter) => forEachLimited([1, 2, 3, 4, 5], 2, async (item) => enter().then(() => void done.push(item))));
  expect([highest, done.sort()]).toEqual([2, [1, 2, 3, 4, 5]]);
});

test("a failure stops what hasn't begun and waits for what has", async () => {
  const done: number[] = [];
  const work = async (item: number) => {
    if (item === 1) throw new Error("one");
    await turn();
    done.push(item);
  };
  await expect(forEachLimited([1, 2, 3, 4], 2, work)).rejects.toThrow("one");
  expect(done).toEqual([2]);
});

test("a limiter lets so many through at once, and goes on after a failure", async () => {
  const pass = limiter(2);
  const highest = await most((enter) => Promise.all([1, 2, 3, 4, 5].map(() => pass(enter))).then(() => undefined));
  expect(highest).toBe(2);
  await expect(pass(() => Promise.reject(new Error("no")))).rejects.toThrow("no");
  expect(await Promise.all([1, 2, 3].map((item) => pass(async () => item)))).toEqual([1, 2, 3]);
});
