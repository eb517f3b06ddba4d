import { expect, test, vi } from "vitest";
import { VirtualClock } from "../testing/virtual-clock.ts";
import { realClock, sleep } from "./clock.ts";

test("a sleep ends when its time has come, or when its signal aborts, and leaves no timer", async () => {
  const clock = new VirtualClock();
  const abort = new AbortController();
  const ended: string[] = [];
  void sleep(clock, 1_000).then(() => ended.push("time"));
  void sleep(clock, 9_000, abort.signal).then(() => ended.push("signal"));
  await clock.advance(1_000);
  expect(ended).toEqual(["time"]);
  abort.abort();
  await clock.advance(0);
  expect(ended).toEqual(["time", "signal"]);
  expect(clock.pending).toBe(0);
  await sleep(clock, 5_000, abort.signal);
});

test("a virtual clock runs what falls due in its order, at its time", async () => {
  const clock = new VirtualClock("2026-01-01T00:00:00Z");
  const seen: string[] = [];
  clock.schedule(200, () => seen.push(`b ${clock.monotonic()}`));
  clock.schedule(100, () => {
    seen.push(`a ${clock.monotonic()}`);
    clock.schedule(50, () => seen.push(`c ${clock.monotonic()}`));
  });
  const cancel = clock.schedule(120, () => seen.push("never"));
  cancel();
  await clock.advance(300);
  expect(seen).toEqual(["a 100", "c 150", "b 200"]);
  expect(clock.now()).toEqual(new Date("2026-01-01T00:00:00.300Z"));
});

test("the real clock survives waits longer than Node's timers, which would otherwise ring at once", () => {
  vi.useFakeTimers();
  try {
    let rang = 0;
    realClock.schedule(2 ** 31 + 1_000, () => {
      rang += 1;
    });
    vi.advanceTimersByTime(2 ** 31);
    expect(rang).toBe(0);
    vi.advanceTimersByTime(1_000);
    expect(rang).toBe(1);
  } finally {
    vi.useRealTimers();
  }
});
