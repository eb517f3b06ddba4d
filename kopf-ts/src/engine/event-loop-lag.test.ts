import { createHistogram } from "node:perf_hooks";
import { expect, test } from "vitest";
import { EventLoopLag } from "./event-loop-lag.ts";

const nanosecondsPerMillisecond = 1_000_000;

/** Delays as a test records them, in both histograms as Node's timers would. */
function recorded() {
  let now = 0;
  const histograms: ReturnType<typeof createHistogram>[] = [];
  const newDelays = () => {
    const histogram = createHistogram();
    histograms.push(histogram);
    return Object.assign(histogram, { enable: () => true, disable: () => true });
  };
  const lag = new EventLoopLag(newDelays, () => now);
  return {
    longest: () => Math.round(lag.read()["1"] * 10) / 10,
    read: () => lag.read(),
    late: (milliseconds: number) => {
      for (const histogram of histograms) histogram.record((20 + milliseconds) * nanosecondsPerMillisecond);
    },
    wait: (seconds: number) => {
      now += seconds * 1000;
    },
  };
}

test("two who read see the same delays", () => {
  const { longest, late } = recorded();
  late(3_000);
  expect([longest(), longest()]).toEqual([3, 3]);
});

test("a delay is told for a minute at least and for two at most, if somebody reads", () => {
  const { longest, late, wait } = recorded();
  wait(60);
  expect(longest()).toBe(0);
  late(3_000);
  wait(60);
  expect(longest()).toBe(3);
  late(1_000);
  wait(59);
  expect([longest(), longest()]).toEqual([3, 3]);
  wait(1);
  expect([longest(), longest()]).toEqual([1, 1]);
});

test("without a measurement nothing is late", () => {
  expect(recorded().read()).toEqual({ "0.5": 0, "0.99": 0, "1": 0 });
});

test("Node's own delays are read", async () => {
  const lag = new EventLoopLag();
  lag.measure(true);
  await expect.poll(() => lag.read()["1"]).toBeGreaterThan(0);
  lag.measure(false);
});
