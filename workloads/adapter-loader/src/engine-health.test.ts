import { testClock } from "@rune/clients/testing/http-server";
import { beforeEach, expect, it } from "vitest";
import { type Engine, EngineUnavailable } from "./engine.ts";
import { EngineHealth } from "./engine-health.ts";

let answers: (() => { text: string; tokens: number })[];
let generatedTokens: number;
let asked: number;
let clock: ReturnType<typeof testClock>;
let health: EngineHealth;
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
  health = new EngineHealth({ engine: { complete, vitals } as unknown as Engine, base: "tiny", clock });
});
const check = async (...next: (() => { text: string; tokens: number })[]) => {
  for (const each of next) {
    answers.push(each);
    await clock.wait(10_000);
    await health.check();
  }
  return health.ready;
};

it("is ready after a real answer, and asks again only when it is time to", async () => {
  expect(health.ready).toBe(false);
  expect(await check(text)).toBe(true);
  await health.check();
  expect(asked).toBe(1);
});

it("isn't ready when the engine is gone, and says why", async () => {
  expect(await check(text, gone)).toBe(false);
  expect(health.problem).toBe("refused");
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
  expect(health.problem).toContain("must be restarted");
  health.restarted();
  expect(await check(text)).toBe(true);
});

it("doesn't take silence for a sign where the engine never said anything", async () => {
  expect(await check(nothing, nothing)).toBe(true);
});

it("believes the engine's own count of spoilt answers until it restarts", async () => {
  await check(text);
  health.corrupted(0);
  expect(health.ready).toBe(true);
  health.corrupted(1);
  expect(await check(text)).toBe(false);
  health.restarted();
  expect(await check(text)).toBe(true);
});

it("tells what only a restart cures, until the engine restarts or is sound again", async () => {
  await check(text, gone);
  expect(health.spoilt).toBeUndefined();
  await check(text, nothing);
  expect(health.spoilt).toContain("must be restarted");
  await check(text);
  expect(health.spoilt).toBeUndefined();
  health.corrupted(3);
  expect(health.spoilt).toContain("3 spoilt answers");
  health.restarted();
  expect(health.spoilt).toBeUndefined();
});
