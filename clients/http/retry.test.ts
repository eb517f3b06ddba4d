import { expect, it } from "vitest";
import { testClock } from "../testing/http-server.ts";
import { retry, retryAfter, Transient } from "./retry.ts";

const policy = { attempts: 4, firstWaitMilliseconds: 100, longestWaitMilliseconds: 1000 };
const failing = (times: number, options = {}) => {
  let left = times;
  return async () => {
    if (left-- > 0) throw new Transient("not now", options);
    return "done";
  };
};

it("waits twice as long each time, with jitter, until it goes well", async () => {
  const clock = testClock();
  expect(await retry(failing(3), policy, clock)).toBe("done");
  expect(clock.waits).toEqual([50, 100, 200]);
});

it("throws the last error when the attempts are over, and every other error at once", async () => {
  await expect(retry(failing(4), policy, testClock())).rejects.toThrow("not now");
  const clock = testClock();
  await expect(retry(() => Promise.reject(new TypeError("wrong")), policy, clock)).rejects.toThrow("wrong");
  expect(clock.waits).toEqual([]);
});

it("waits as long as the server asks, but never longer than the longest wait", async () => {
  const clock = testClock();
  await retry(failing(1, { retryAfterMilliseconds: 700 }), policy, clock);
  await retry(failing(1, { retryAfterMilliseconds: 3_600_000 }), policy, clock);
  expect(clock.waits).toEqual([825, 1000]);
});

it("gives up when the next wait would end after the deadline", async () => {
  const clock = testClock();
  await expect(retry(failing(9), { ...policy, attempts: 100, deadline: clock.now() + 400 }, clock)).rejects.toThrow("not now");
  expect(clock.waits).toEqual([50, 100, 200]);
});

it("stops at once with the signal's reason", async () => {
  const signal = AbortSignal.abort(new Error("SIGTERM"));
  await expect(retry(failing(1), { ...policy, signal }, testClock())).rejects.toThrow("SIGTERM");
});

it("reads Retry-After as seconds or as a date", () => {
  const now = Date.parse("2026-01-01T00:00:00Z");
  expect(retryAfter("7", now)).toBe(7000);
  expect(retryAfter("Thu, 01 Jan 2026 00:00:09 GMT", now)).toBe(9000);
  expect(retryAfter("Wed, 31 Dec 2025 00:00:00 GMT", now)).toBe(0);
  expect(retryAfter("soon", now)).toBeUndefined();
  expect(retryAfter(undefined, now)).toBeUndefined();
});
