import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { until } from "./objects.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const minutes = (count: number) => vi.advanceTimersByTimeAsync(count * 60_000);
const away = new Error("`kubectl get` failed with exit status 1:\nThe connection to the server was refused");

test("an API server that is unavailable for some minutes doesn't end a run of hours", async () => {
  const look = vi.fn<() => Promise<string>>().mockResolvedValueOnce("begun").mockRejectedValue(away);
  const over = until(
    look,
    (seen) => seen === "done",
    () => {},
  );
  await minutes(4);
  look.mockResolvedValue("done");
  await minutes(1);
  expect(await over).toBe("done");
});

test("one that stays so does, with its own error", async () => {
  const over = until(
    vi.fn().mockRejectedValue(away),
    () => true,
    () => {},
  ).catch((error: Error) => error);
  await minutes(6);
  expect(await over).toBe(away);
});

test("an object that doesn't exist isn't waited for", async () => {
  const missing = new Error('`kubectl get` failed with exit status 1:\nError from server (NotFound): trainingruns.rune.dev "x" not found');
  await expect(
    until(
      vi.fn().mockRejectedValue(missing),
      () => true,
      () => {},
    ),
  ).rejects.toBe(missing);
});
