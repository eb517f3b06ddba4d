import { FakeLog, FakeRunner } from "@rune/clients/testing/fakes";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import fc from "fast-check";
import { expect, test } from "vitest";
import { FakeInference, fakeWorld, jobOf } from "./fake-world.ts";
import { work } from "./graph.ts";
import { apply, BrokenLog, emptySession, fold } from "./session.ts";

const at = (n: number, epoch = 1) => ({ n, epoch, time: "2026-01-01T00:00:00Z" });
const digest = `sha256:${"0".repeat(64)}`;
const proof = (n: number, epoch = 1, verified = true): LogRecord => ({
  type: "isolation",
  ...at(n, epoch),
  isolation: { verified, probes: [] },
});
const intent = (n: number, effect: "generate" | "execute", epoch = 1): LogRecord => ({
  type: "intent",
  ...at(n, epoch),
  effect,
  inputDigest: digest,
  round: 0,
  input: {},
});
const generated = (n: number, ...programs: string[]): LogRecord => ({
  type: "generated",
  ...at(n),
  programs,
  promptTokens: 1,
  completionTokens: 1,
});
const executed = (n: number, program: string): LogRecord => ({
  type: "executed",
  ...at(n),
  program,
  execution: { passed: false, outcome: "Failed", error: "e", durationSeconds: 1 },
});

test.each<[string, LogRecord[], object]>([
  ["an empty log is an empty session", [], emptySession],
  ["a proof counts for its epoch", [proof(0, 3)], { provenEpoch: 3, epoch: 3, next: 1 }],
  ["a failed proof counts for none", [proof(0, 3, false)], { provenEpoch: 0, epoch: 3, next: 1 }],
  ["an intent is open until its result", [proof(0), intent(1, "generate")], { open: { n: 1, effect: "generate" }, next: 2 }],
  [
    "each program waits once, in the order that the model gave",
    [intent(0, "generate"), generated(0, "b", "a", "b")],
    { waiting: ["b", "a"], sampled: true, open: undefined },
  ],
  [
    "an executed program waits no longer",
    [intent(0, "generate"), generated(0, "b", "a"), intent(1, "execute"), executed(1, "b")],
    { waiting: ["a"], attempts: [{ round: 0, program: "b" }] },
  ],
  [
    "a lost program waits still",
    [intent(0, "generate"), generated(0, "b"), intent(1, "execute"), { type: "lost", ...at(1, 2), message: "gone" }],
    { waiting: ["b"], open: undefined, attempts: [], epoch: 2 },
  ],
  [
    "a reflected round is over, and its notes are known",
    [intent(0, "generate"), generated(0), { type: "reflected", ...at(1), round: 0, notes: ["n"] }],
    { round: 1, sampled: false, notes: ["n"] },
  ],
])("%s", (_, records, expected) => {
  expect(fold(records)).toMatchObject(expected);
});

test.each<[string, LogRecord[]]>([
  ["a result without an intent", [generated(0, "a")]],
  ["a result of another step", [intent(0, "generate"), generated(1, "a")]],
  ["a result of another effect", [intent(0, "execute"), generated(0, "a")]],
  ["two open intents", [intent(0, "generate"), intent(1, "generate")]],
  ["a program that nobody sampled", [intent(0, "generate"), generated(0, "a"), intent(1, "execute"), executed(1, "b")]],
  ["a loss of what wasn't open", [{ type: "lost", ...at(0), message: "" }]],
  [
    "a round that ends while programs wait",
    [intent(0, "generate"), generated(0, "a"), { type: "reflected", ...at(1), round: 0, notes: [] }],
  ],
  ["anything after the end", [{ type: "ended", ...at(0), outcome: "Solved", message: "" }, proof(1)]],
  ["a record of an evaluation", [{ type: "judged", ...at(0), taskId: "t", arm: "a", samples: [] }]],
])("%s can't stand in a session's log", (_, records) => {
  expect(() => fold(records)).toThrow(BrokenLog);
});

test("folding a log whole and going on with a record at a time is the same", async () => {
  const log = new FakeLog();
  await work(
    fakeWorld(jobOf(), { log, runner: new FakeRunner(), inference: new FakeInference([["    a", "    b"], ["    right"]]) }),
    [],
    new AbortController().signal,
  );
  fc.assert(
    fc.property(fc.nat(log.records.length), (cut) => {
      const begun = fold(log.records.slice(0, cut));
      expect(log.records.slice(cut).reduce(apply, begun)).toEqual(fold(log.records));
    }),
  );
});
