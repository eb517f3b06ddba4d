import { expect, test } from "vitest";
import { narrowness } from "./scope.ts";

const task = { project: "parsers", domain: "csv", task: "quotes" };
test.each([
  ["its project", { project: "parsers" }, 1],
  ["its domain", { project: "parsers", domain: "csv" }, 2],
  ["its own task", task, 3],
  ["another project", { project: "lexers" }, 0],
  ["another domain", { project: "parsers", domain: "xml" }, 0],
  ["no project", { domain: "csv" }, 0],
])("a scope of %s takes in a task", (_, scope, narrow) => {
  expect(narrowness(scope, task)).toBe(narrow);
});
