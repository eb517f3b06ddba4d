import { expect, test } from "vitest";
import { type Intent, inputDigest, lost, recordOf } from "./log.ts";

const intent: Intent = { type: "intent", n: 4, epoch: 1, time: "", effect: "execute", inputDigest: "", round: 0, input: {} };

test("a record has its number, its epoch and the time, and a lost intent keeps its number", () => {
  expect(recordOf(lost(intent, 3), { n: intent.n, epoch: 3, now: new Date(0) })).toEqual({
    type: "lost",
    message: "epoch 1 left no result of step 4; epoch 3 repeats it",
    n: 4,
    epoch: 3,
    time: "1970-01-01T00:00:00.000Z",
  });
});

test("an input is known again however its fields are ordered", () => {
  expect(inputDigest({ a: 1, b: [2] })).toBe(inputDigest({ b: [2], a: 1 }));
  expect(inputDigest({ a: 1 })).not.toBe(inputDigest({ a: 2 }));
});
