import { expect, test } from "vitest";
import type { DynamicObject } from "../api/object.ts";
import { VirtualClock } from "../testing/index.ts";
import { StatusLoops } from "./status-loop.ts";

const object = (version: number, status: object = { at: version }): DynamicObject => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { name: "a", resourceVersion: String(version) },
  status,
});

/** So many passes, each over what the one before wrote. */
async function passes(loops: StatusLoops, count: number, between: () => Promise<unknown> = () => Promise.resolve(), from = 0) {
  const told: (readonly string[])[] = [];
  for (let version = from; version < from + count; version += 1) {
    const fields = loops.passed(object(version), object(version + 1));
    if (fields) told.push(fields);
    await between();
  }
  return told;
}

test("twenty passes in a row over nothing but our own writes are a loop, told once with its fields, and made to wait", async () => {
  const clock = new VirtualClock();
  const loops = new StatusLoops(clock);
  expect(await passes(loops, 19)).toEqual([]);
  expect(loops.pause(object(19))).toBe(0);
  expect(await passes(loops, 5, undefined, 19)).toEqual([["at"]]);
  expect(loops.pause(object(24))).toBe(1_000);
  expect(loops.pause(object(99))).toBe(0);
  await clock.advance(600);
  expect(loops.pause(object(24))).toBe(400);
});

test("a status that is written every other second is none", async () => {
  const clock = new VirtualClock();
  expect(await passes(new StatusLoops(clock), 100, () => clock.advance(2_000))).toEqual([]);
});

test("what somebody else writes in between, or a pass that writes nothing, begins again", async () => {
  const loops = new StatusLoops(new VirtualClock());
  await passes(loops, 15);
  expect(await passes(loops, 15, undefined, 100)).toEqual([]);
  loops.passed(object(115), object(115));
  expect(await passes(loops, 19, undefined, 115)).toEqual([]);
});
