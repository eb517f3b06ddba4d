import { expect, test } from "vitest";
import { resumptionViolations } from "./training.ts";

const steps = (...numbers: number[]) => numbers.map((step) => `step ${step}/12 loss 0.5000, 0.10 s a step, 1 s left\n`).join("");
const layers = (...numbers: number[]) => numbers.map((layer) => `step ${layer}/12, 0.10 s a step, 1 s left\n`).join("");
const examples = "4 examples from 2 trajectories, 900 tokens, 200 of them to learn\n";
const adopted = "an earlier attempt has already published sha256:ab; nothing is trained again\n";

test.for([
  ["nothing had a checkpoint yet", examples + steps(1, 2), examples + steps(1, 12)],
  ["it had not trained at all", examples, steps(1, 12)],
  ["the next attempt went on from the newest checkpoint", steps(1, 5), steps(5, 12)],
  ["it could still write one more when it was told to end", steps(1, 5), steps(6, 12)],
  ["the artifact was there although nobody knew", steps(1, 12), adopted],
  ["it merged, which has no loss", layers(1, 5), layers(5, 12)],
] as const)("a second attempt is in order where %s", ([, log, next]) => {
  expect(resumptionViolations({ log, pushed: false }, next, 2)).toEqual([]);
});

test.for([
  ["that began again beside a checkpoint", steps(1, 5), false, steps(1, 12), /began at step 1 although there was a checkpoint of step 4/],
  [
    "that merged from the beginning beside a checkpoint",
    layers(1, 5),
    false,
    layers(1, 12),
    /began at step 1 although there was a checkpoint/,
  ],
  ["that trained although the artifact was stored", steps(1, 12), true, steps(11, 12), /trained from step 11 although/],
  ["that did nothing", steps(1, 5), false, examples, /neither trained nor adopted/],
] as const)("a second attempt is told %s", ([, log, pushed, next, words]) => {
  expect(resumptionViolations({ log, pushed }, next, 2)).toEqual([expect.stringMatching(words)]);
});
