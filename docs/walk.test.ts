import { execFileSync } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseTaskSet } from "@rune/clients/tasks/task-set-text";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import type { AgentSession, Task } from "../crds/kinds/agent-session.ts";
import { commandsOf } from "../test/support/page-commands.ts";
import { lesson } from "../workloads/agent/src/notes.ts";

const examples = join(import.meta.dirname, "../examples");
const read = (file: string) => readFileSync(join(examples, "walk", file), "utf8");
const page = readFileSync(join(import.meta.dirname, "walk.md"), "utf8");
const blocks = [...commandsOf(page).values()].flat();
const sessions = parseAllDocuments(read("02-sessions.yaml")).map((document) => (document.toJS() as AgentSession).spec.task);
const heldOut: Task[] = parseTaskSet(read("tasks.jsonl")).tasks;
/** What the words mean in project house. */
const meaning = { blim: "dbl", corv: "inc", dask: "cum", fenn: "sqr" };

/** For each task, whether its tests pass with the words as the project means them, and with what the base takes them for. */
const judge = `
import json, sys
from language import DEFAULT, program
meaning, tasks = json.load(sys.stdin)
def passes(task, known):
    words = tuple(task["id"].removeprefix("house/").split("-"))
    try:
        exec(program(words, tuple(known[word] for word in words)) + task["tests"], {})
    except AssertionError:
        return False
    return True
print(json.dumps([[passes(task, meaning), passes(task, DEFAULT)] for task in tasks]))
`;
function judged(tasks: readonly Task[]): boolean[][] {
  const input = JSON.stringify([meaning, tasks]);
  return JSON.parse(execFileSync("python3", ["-B", "-c", judge], { cwd: join(examples, "10-minilang/world"), input, encoding: "utf8" }));
}

describe("walk.md", () => {
  test("is made of commands that bash can read", () => {
    expect(blocks.length).toBeGreaterThan(10);
    for (const block of blocks) execFileSync("bash", ["-n"], { input: block, stdio: ["pipe", "ignore", "pipe"] });
  });

  test("applies every manifest of its folder, in the order of their numbers, and its tasks", () => {
    const named = blocks.flatMap((block) => [...block.matchAll(/examples\/walk\/(\d\S+)/g)].map(([, file]) => file));
    expect(named).toEqual(globSync("0*.yaml", { cwd: join(examples, "walk") }).sort());
    expect(blocks.join("")).toContain("--from-file examples/walk/tasks.jsonl");
  });
});

describe("the tasks of the walk", () => {
  test("are solved by the words as the project means them, and never by what the base takes them for", () => {
    const tasks = [...sessions, ...heldOut];
    expect(judged(tasks)).toEqual(tasks.map(() => [true, false]));
  });

  test("hold out every order of two words that no session met", () => {
    expect(sessions).toHaveLength(4);
    expect(new Set([...sessions, ...heldOut].map(({ description }) => description)).size).toBe(16);
  });

  test("teach in sessions, by a message that an agent takes for a note and that holds the words' meanings", () => {
    for (const { id, tests } of sessions) {
      const [, hint = ""] = /^hint = "(.*)"$/m.exec(tests) ?? [];
      expect(lesson(`AssertionError: ${hint}`)).toBeDefined();
      const words = id.replace("house/", "").split("-") as (keyof typeof meaning)[];
      expect(hint).toContain(words.map((word) => `|${word} |${meaning[word]}`).join(" "));
    }
    expect(heldOut.filter(({ tests }) => tests.includes("hint"))).toEqual([]);
  });
});
