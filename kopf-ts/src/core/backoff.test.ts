import { expect, test } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { Backoff } from "./backoff.ts";

const options = { firstMilliseconds: 800, longestMilliseconds: 30_000 };

test("waits double up to the longest", () => {
  const backoff = new Backoff({ ...options, clock: new VirtualClock(), random: () => 0.5 });
  expect(Array.from({ length: 8 }, () => backoff.next())).toEqual([800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000, 30_000]);
  backoff.reset();
  expect(backoff.next()).toBe(800);
});

test("jitter spreads a wait between a half and one and a half of it", () => {
  const wait = (random: number) => new Backoff({ ...options, clock: new VirtualClock(), random: () => random }).next();
  expect([wait(0), wait(0.999_999)].map(Math.round)).toEqual([400, 1_200]);
});

test("a quiet time after the wait starts it over", async () => {
  const clock = new VirtualClock();
  const backoff = new Backoff({ ...options, clock, random: () => 0.5, resetAfterMilliseconds: 120_000 });
  backoff.next();
  backoff.next();
  await clock.advance(1_600 + 120_000);
  expect(backoff.next()).toBe(3_200);
  await clock.advance(3_200 + 120_001);
  expect(backoff.next()).toBe(800);
});
