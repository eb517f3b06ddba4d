import { expect, test } from "vitest";
import { VirtualClock } from "../testing/index.ts";
import { Watchdog } from "./watchdog.ts";

test("expires, once, when it has not been reset for its time", async () => {
  const clock = new VirtualClock();
  let expired = 0;
  const watchdog = new Watchdog(clock, 100, () => {
    expired += 1;
  });
  await clock.advance(60);
  watchdog.reset();
  await clock.advance(99);
  expect(expired).toBe(0);
  await clock.advance(1);
  expect(expired).toBe(1);
  await clock.advance(1_000);
  expect(expired).toBe(1);
});

test("leaves no timer behind once stopped", async () => {
  const clock = new VirtualClock();
  const watchdog = new Watchdog(clock, 100, () => expect.unreachable());
  await clock.advance(60);
  watchdog.reset();
  await clock.advance(60);
  watchdog.stop();
  expect(clock.pending).toBe(0);
});
