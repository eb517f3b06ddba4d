import { expect, it } from "vitest";
import { reportedFailure } from "./termination-message.ts";

it("reads a failure with its reason and message", () => {
  const failure = { reason: "NotFinite", message: "a weight is NaN" };
  expect(reportedFailure(JSON.stringify({ failure }))).toEqual(failure);
});

it.each([undefined, "", "Killed", "{", "{}", '{"failure":{"reason":"NotFinite"}}'])("finds no failure in %j", (message) => {
  expect(reportedFailure(message)).toBeUndefined();
});
