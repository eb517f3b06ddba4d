import { describe, expect, test } from "vitest";
import { activeArms, mayAsk, modelFor } from "./arms.ts";
import { adapterArm } from "./fake-results.ts";
import { FakeOutside, fakeWorld, jobOf, tasks } from "./fake-world.ts";
import { measure } from "./measure.ts";
import { Progress } from "./progress.ts";
import { isJudged } from "./results.ts";

const never = new AbortController().signal;
const assigned = { "both-veil": "veil-1", "table-veil": "veil-1", "both-haul": "haul-1", "table-haul": "haul-1" };
const scoped = adapterArm("scoped", { model: { url: "http://m/v1", base: "qwen", name: "qwen" }, assigned });
const jobWith = (changes: Parameters<typeof jobOf>[0] = {}) =>
  jobOf({ arms: [jobOf().arms[0]!, scoped], active: ["scoped"], gate: undefined, ...changes });
const unassigned = ["both-seal", "table-seal"];

describe("an arm with an adapter for each task", () => {
  test("asks the task's own, and the base where none fits", () => {
    expect(tasks.map(({ id }) => modelFor(scoped, id))).toEqual(["veil-1", "veil-1", "haul-1", "haul-1", "qwen", "qwen"]);
    expect(tasks.map((task) => modelFor(jobOf().arms[1]!, task.id)).every((model) => model.startsWith("tessera-"))).toBe(true);
  });

  test("may ask what is claimed, and the base always", () => {
    const asked = (claimed: string[]) => tasks.filter((task) => mayAsk(jobWith({ claimed }), scoped, task)).map(({ id }) => id);
    expect(asked(["veil-1"])).toEqual(["both-veil", "table-veil", ...unassigned]);
    expect(asked([])).toEqual(unassigned);
    expect(asked(["veil-1", "haul-1"])).toEqual(tasks.map(({ id }) => id));
  });

  test("is measured in batches: each asks what it claims, and none asks again", async () => {
    const outside = new FakeOutside();
    const models: string[] = [];
    const batch = async (epoch: number, claimed: string[]) => {
      const world = fakeWorld(jobWith({ epoch, claimed }), { outside });
      const ask: typeof world.ask = async (arm, question) => {
        models.push(question.model);
        return await world.ask(arm, question);
      };
      await measure({ ...world, ask }, never);
      return isJudged("scoped", { tasks, ledger: new Progress(outside.records) });
    };
    expect(await batch(1, ["haul-1"])).toBe(false);
    expect(models.toSorted()).toEqual(["haul-1", "haul-1", "qwen", "qwen"]);
    expect(await batch(2, ["veil-1"])).toBe(true);
    expect(models.slice(4)).toEqual(["veil-1", "veil-1"]);
    expect(await batch(3, ["veil-1"])).toBe(true);
    expect(models).toHaveLength(6);
  });
});

test("what an arm tells stands in front of the task, and the log says of how many trajectories", async () => {
  const outside = new FakeOutside();
  const world = fakeWorld(jobOf(), { outside });
  const prompts: string[] = [];
  const ask: typeof world.ask = async (arm, question) => {
    prompts.push(question.messages[1]?.content ?? "");
    return await world.ask(arm, question);
  };
  const contextFor = (_: unknown, { id }: { id: string }) =>
    id === "both-veil" ? { text: "told", trajectories: 2 } : { text: "", trajectories: 0 };
  await measure({ ...world, ask, contextFor }, never);
  expect(prompts).toContain("told\n\nDo both-veil.");
  expect(prompts).toContain("Do both-haul.");
  const ledger = new Progress(outside.records);
  expect([ledger.sampled("base", "both-veil")?.told, ledger.sampled("base", "both-haul")?.told]).toEqual([2, 0]);
});

test("a job that names an arm it doesn't have is misconfigured", () => {
  expect(() => activeArms(jobOf({ active: ["base", "other"] }))).toThrow(expect.objectContaining({ code: 78, reason: "NoSuchArm" }));
});
