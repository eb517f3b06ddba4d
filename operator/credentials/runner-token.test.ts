import { expect, it } from "vitest";
import { generateSigningKey } from "./keys.ts";
import { runnerToken } from "./runner-token.ts";

it("is the same for an epoch whenever it is asked for, and another for any other epoch, object or key", async () => {
  const [key, other] = [await generateSigningKey(), await generateSigningKey()];
  expect(runnerToken(key, "uid", 1)).toBe(runnerToken(key, "uid", 1));
  const tokens = [runnerToken(key, "uid", 1), runnerToken(key, "uid", 2), runnerToken(key, "other", 1), runnerToken(other, "uid", 1)];
  expect(new Set(tokens).size).toBe(4);
});
