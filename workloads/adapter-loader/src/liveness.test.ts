import { testClock } from "@rune/clients/testing/http-server";
import { beforeEach, expect, it } from "vitest";
import { type Engine, EngineUnavailable } from "./engine.ts";
import { Liveness } from "./liveness.ts";

let answers: (() => { text: string; tokens: number })[];
let generatedTokens: number;
let asked: number;
let clock: ReturnType<typeof testClock>;
let liveness: Liveness;
const text = () => ({ text: " Paris", tokens: 1 });
const nothing = () => ({ text: "", tokens: 1 });
const late = () => {
  throw new EngineUnavailable("took longer than 20000 ms");
};
const gone = () => {
  throw new EngineUnavailable("refused", { cause: { cause: { code: "ECONNREFUSED" } } });
};

beforeEach(() => {
  answers = [];
  generatedTokens = 0;
  asked = 0;
  clock = testClock();
  const complete = async () => {
    asked++;
    return (answers.shift() ?? text)();
  };
  const vitals = async () => ({ startTime: "1", corruptedRequests: 0, generatedTokens });
  liveness = new Liveness({ engine: { complete, vitals } as unknown as Engine, base: "tiny", clock });
});
const check = async (...next: (() => { text: string; tokens: number })[]) => {
  for (const each of next) {
    answers.push(each);
    await clock.wait(10_000);
    await liveness.check();
  }
  return liveness.ready;
};

it("is ready after a real answer, and asks again only when it is time to", async () => {
  expect(liveness.ready).toBe(false);
  expect(await check(text)).toBe(true);
  await liveness.check();
  expect(asked).toBe(1);
});

it("isn't ready when the engine is gone, and says why", async () => {
  expect(await check(text, gone)).toBe(false);
  expect(liveness.problem).toBe("refused");
  expect(await check(text)).toBe(true);
});

it("takes an engine that is late for alive as long as it makes tokens", async () => {
  await check(text);
  generatedTokens = 100;
  expect(await check(late)).toBe(true);
  expect(await check(late)).toBe(false);
});

it("sees that the base has fallen silent, which only a restart cures", async () => {
  expect(await check(text, nothing)).toBe(false);
  expect(liveness.problem).toContain("must be restarted");
  liveness.restarted();
  expect(await check(text)).toBe(true);
});

it("doesn't take silence for a sign where the engine never said anything", async () => {
  expect(await check(nothing, nothing)).toBe(true);
});

it("believes the engine's own count of spoilt answers until it restarts", async () => {
  await check(text);
  liveness.corrupted(0);
  expect(liveness.ready).toBe(true);
  liveness.corrupted(1);
  expect(await check(text)).toBe(false);
  liveness.restarted();
  expect(await check(text)).toBe(true);
});

it("tells what only a restart cures, until the engine restarts or is sound again", async () => {
  await check(text, gone);
  expect(liveness.spoilt).toBeUndefined();
  await check(text, nothing);
  expect(liveness.spoilt).toContain("must be restarted");
  await check(text);
  expect(liveness.spoilt).toBeUndefined();
  liveness.corrupted(3);
  expect(liveness.spoilt).toContain("3 spoilt answers");
  liveness.restarted();
  expect(liveness.spoilt).toBeUndefined();
});
