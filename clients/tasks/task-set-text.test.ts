import { describe, expect, it } from "vitest";
import { NotATaskSet, parseTaskSet } from "./task-set-text.ts";

const task = (id: string) => ({ id, description: "d", tests: "assert f() == 1", entryPoint: "f" });
const ids = (text: string) => parseTaskSet(text).tasks.map(({ id }) => id);
const lines = (...values: unknown[]) => values.map((value) => JSON.stringify(value)).join("\n");

describe("a task set in a text", () => {
  it.each([
    ["a task set in JSON", JSON.stringify({ schema: "rune.dev/taskset/v1", name: "s", tasks: [task("b"), task("a")] })],
    ["a list of tasks", JSON.stringify([task("a"), task("b")], null, 2)],
    ["a task a line", `${lines(task("b"), task("a"))}\n`],
    ["lines with empty ones between them", `\n${lines(task("b"))}\n\r\n${lines(task("a"))}\n\n`],
  ])("is %s", (_, text) => {
    expect(ids(text)).toEqual(["a", "b"]);
  });

  it("of one line has one task", () => {
    expect(ids(lines(task("a")))).toEqual(["a"]);
  });

  it("is the same set in whatever form and order its tasks come", () => {
    expect(parseTaskSet(lines(task("b"), task("a")))).toEqual(parseTaskSet(JSON.stringify([task("a"), task("b")])));
  });

  it("keeps the name that it says", () => {
    expect(parseTaskSet(JSON.stringify({ name: "parsers", tasks: [task("a")] })).name).toBe("parsers");
  });

  it.each([
    ["nothing", " \n", "it is empty"],
    ["YAML", "- id: a\n", "begins with neither { nor ["],
    ["JSON that breaks off", '{\n  "tasks": [', "it is no JSON"],
    ["a list that breaks off", '[{"id": "a"}', "it is no JSON"],
    ["a line that is none", `${lines(task("a"))}\n{"id": \n`, "line 2 is no JSON"],
    ["a line without tests", lines(task("a"), { ...task("b"), tests: undefined }), "line 2: tests: "],
    [
      "a task of a list without an entry point",
      JSON.stringify([task("a"), { ...task("b"), entryPoint: "no name" }]),
      "tasks[1].entryPoint: ",
    ],
    ["two tasks of one name", lines(task("a"), task("a")), "two tasks are called a"],
    ["a list of nothing", "[]", "tasks: "],
    ["something else with a schema", JSON.stringify({ schema: "other", tasks: [task("a")] }), "schema: "],
  ])("is not %s, which is said with its place", (_, text, words) => {
    expect(() => parseTaskSet(text)).toThrow(NotATaskSet);
    expect(() => parseTaskSet(text)).toThrow(words);
  });
});
