import { expect, test } from "vitest";
import { programsOf } from "./programs.ts";

const task = { id: "t", description: "d", entryPoint: "solve", stub: "def solve():\n", tests: "assert solve()" };
const texts = ["    return 1\n", "    return 'x", `    return "${"y".repeat(20_000)}"\n`];
const finishReasons = ["stop", "length", "stop"];

test("counts answers that reached maxTokens, and programs that are longer than a record holds of so many", () => {
  const { programs, cutOff } = programsOf(task, { texts, finishReasons }, 30_000);
  expect(cutOff).toBe(2);
  expect(programs.slice(0, 2)).toEqual(["def solve():\n    return 1\n", "def solve():\n    return 'x\n"]);
  expect(programs[2]?.length).toBeLessThanOrEqual(10_000);
  expect(programsOf(task, { texts, finishReasons }, 600 * 1024).cutOff).toBe(1);
});

test("cuts no program that a NATS message could hold, but for one of more than 64 KiB", () => {
  const long = { texts: [`    return "${"y".repeat(60_000)}"\n`, `    return "${"y".repeat(70_000)}"\n`], finishReasons: ["stop", "stop"] };
  expect(programsOf(task, long, 600 * 1024).cutOff).toBe(1);
});
