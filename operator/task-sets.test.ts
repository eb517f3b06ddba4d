import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { expect, it, onTestFinished } from "vitest";
import { bundledTaskSets } from "./task-sets.ts";

const set = {
  schema: "rune.dev/taskset/v1",
  name: "HumanEval",
  tasks: [{ id: "t", description: "d", tests: "assert f() == 1", entryPoint: "f" }],
};

it("a task set that stands beside the program is found, and one that doesn't is said to be missing", async () => {
  const directory = await mkdtemp(join(tmpdir(), "task-sets-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  const place = pathToFileURL(`${directory}/`);
  expect(await bundledTaskSets(place)("HumanEval")).toBeUndefined();
  await writeFile(join(directory, "HumanEval.json"), JSON.stringify(set));
  expect(await bundledTaskSets(place)("HumanEval")).toEqual(set);
});

it("one that is broken is no reason to measure on something else", async () => {
  const directory = await mkdtemp(join(tmpdir(), "task-sets-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, "HumanEval.json"), JSON.stringify({ ...set, tasks: [] }));
  const bundled = bundledTaskSets(pathToFileURL(`${directory}/`));
  await expect(bundled("HumanEval")).rejects.toThrow();
  await writeFile(join(directory, "HumanEval.json"), JSON.stringify(set));
  expect(await bundled("HumanEval")).toEqual(set);
});
