import { type TaskSet, taskSet } from "@rune/crds/contracts/task-set";
import { vectors } from "@rune/crds/testing/vectors";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { artifactDigest } from "../registry/registry.ts";
import { chosenTasks, partOf, taskSetArtifact, tasksUpToLook } from "./task-set.ts";

const task = (id: string, cluster?: string) => ({
  id,
  description: `d ${id}`,
  tests: `t ${id}`,
  entryPoint: "f",
  ...(cluster && { cluster }),
});
const setOf = (...tasks: ReturnType<typeof task>[]): TaskSet => taskSet.parse({ schema: "rune.dev/taskset/v1", name: "s", tasks });
const many = setOf(...Array.from({ length: 400 }, (_, n) => task(`t${n}`)));

describe("the part of a task", () => {
  const known = z.array(z.object({ task: z.object({ id: z.string(), cluster: z.string().optional() }), part: z.string() }));
  it.each(vectors("parts", known))("of $task is $part, here and everywhere", ({ task, part }) => {
    expect(partOf(task)).toBe(part);
  });

  it("is that of its cluster, so that a cluster moves whole", () => {
    expect(partOf({ id: "whatever", cluster: "HumanEval/0" })).toBe(partOf({ id: "HumanEval/0" }));
  });

  it("divides a large set in two, and its second half in two, without overlap", () => {
    const ids = (part: "Train" | "Validation" | "Test") => chosenTasks(many, { part, seed: 1 }).map(({ id }) => id);
    const [train, validation, held] = [ids("Train"), ids("Validation"), ids("Test")];
    expect(new Set([...train, ...validation, ...held]).size).toBe(400);
    expect(Math.abs(train.length - 200)).toBeLessThan(30);
    expect(Math.abs(validation.length - 100)).toBeLessThan(30);
  });
});

describe("the tasks of an evaluation", () => {
  it("are ordered and chosen by the seed, within the part, not by their order in the set", () => {
    const backwards = { ...many, tasks: many.tasks.toReversed() };
    const chosen = (set: TaskSet, seed: number, maxTasks?: number) => chosenTasks(set, { part: "Test", seed, maxTasks });
    expect(chosen(many, 1)).toEqual(chosen(backwards, 1));
    expect(chosen(many, 1)).not.toEqual(chosen(many, 2));
    expect(chosen(many, 1, 3)).toEqual(chosen(many, 1).slice(0, 3));
    expect(chosen(many, 1, 3).map(partOf)).toEqual(["Test", "Test", "Test"]);
  });

  it("come look by look, clusters whole", () => {
    const tasks = [task("a", "x"), task("b", "y"), task("c", "x"), task("d"), task("e", "z")];
    const upTo = (number: number, of: number) => tasksUpToLook(tasks, { number, of }).map(({ id }) => id);
    expect(upTo(1, 2)).toEqual(["a", "b", "c"]);
    expect(upTo(2, 2)).toEqual(["a", "b", "c", "d", "e"]);
    expect(upTo(1, 1)).toEqual(["a", "b", "c", "d", "e"]);
    expect(upTo(1, 5)).toEqual(["a", "c"]);
  });
});

it("equal tasks give an equal digest, no matter who stores them", async () => {
  const digest = (set: TaskSet) => artifactDigest(taskSetArtifact(set, "rune/team/tasks"));
  expect(await digest(setOf(task("a"), task("b")))).toBe(await digest(setOf(task("a"), task("b"))));
  expect(await digest(setOf(task("a")))).not.toBe(await digest(setOf(task("b"))));
});
