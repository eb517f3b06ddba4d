import { readFileSync } from "node:fs";
import { heldOutTask } from "@rune/crds/contracts/task-set";
import { task } from "@rune/crds/kinds/agent-session";
import { expect, test } from "vitest";
import { z } from "zod";

const file = z.strictObject({ train: z.array(task.strict()), heldOut: z.array(heldOutTask.strict()) });
const tasks = file.parse(JSON.parse(readFileSync(new URL("tasks.json", import.meta.url), "utf8")));

test("the tasks are what AgentSessions and Evaluations take, 48 of each, no two with one id", () => {
  expect([tasks.train.length, tasks.heldOut.length]).toEqual([48, 48]);
  const ids = [...tasks.train, ...tasks.heldOut].map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
});

test("every task's tests assert something and define nothing", () => {
  for (const { tests } of [...tasks.train, ...tasks.heldOut]) expect(tests).toMatch(/^(assert solve\(.*\) == .*\n){4}$/);
});
