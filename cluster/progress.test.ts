import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { progressTo, seconds } from "./progress.ts";

beforeEach(() => void vi.useFakeTimers({ now: 0 }));
afterEach(() => void vi.useRealTimers());

it("shows that a long step lives, with what it is at", async () => {
  let text = "";
  const progress = progressTo((written) => {
    text += written;
  }, false);
  const step = progress.step("compiling", async (detail) => {
    detail("12 packages");
    await new Promise((resolve) => setTimeout(resolve, 40_000));
  });
  await vi.advanceTimersByTimeAsync(40_000);
  await step;
  expect(text.split("\n").map((line) => line.trim())).toEqual([
    "0.0 s  compiling …",
    "15.0 s  compiling (12 packages), 15.0 s so far",
    "30.0 s  compiling (12 packages), 30.0 s so far",
    "40.0 s  compiling (12 packages): done in 40.0 s",
    "",
  ]);
});

it("says nothing more of a step that failed", async () => {
  let text = "";
  const progress = progressTo((written) => {
    text += written;
  }, false);
  await expect(progress.step("compiling", () => Promise.reject(new Error("broken")))).rejects.toThrow("broken");
  await vi.advanceTimersByTimeAsync(60_000);
  expect(text).not.toContain("so far");
});

it("writes times as people read them", () => {
  expect([seconds(900), seconds(59_940), seconds(432_000)]).toEqual(["0.9 s", "59.9 s", "7 min 12 s"]);
});
