import type { Adapter } from "@rune/crds/kinds/adapter";
import { expect, it } from "vitest";
import type { Services, Tracker } from "../shared/services.ts";
import { aRunOf } from "../testing/evaluation-world.ts";
import { aChild, aGeneration, aMember, anAdapter, decideOn, interval, selected } from "../testing/evolution-world.ts";
import { makersOf, metricsOf, readTracking, tracking } from "./tracking.ts";
import type { World } from "./world.ts";

const status = {
  ...selected,
  memberCount: 2,
  children: [
    aChild("parsers-c1", "Kept", { passAt1: interval(0.6) }),
    aChild("parsers-c2", "Kept", { kind: "Mean", passAt1: interval(0.4) }),
    aChild("parsers-c3", "Failed"),
  ],
  promotion: { outcome: "NotPromoted", why: "it gained too little", delta: interval(3, 4) },
  pruned: true,
  decisions: [],
  archived: 2,
};
const generation = aGeneration({ status });
const labelled = new Map(["of-parsers-c1", "of-parsers-c2"].map((name) => [name, anAdapter(name)]));
const at = (found: World["tracking"], more: object = {}, track?: (metrics: Record<string, number>) => Promise<void>) =>
  decideOn({ generation: aGeneration({ status: { ...status, ...more } }), adapters: labelled, tracking: found }, track && { track });

it("the tracker is told the numbers before a generation ends, and what came of it stands in status", async () => {
  const told: object[] = [];
  const telling = at("absent", {}, async (metrics) => void told.push(metrics));
  expect(telling).toMatchObject({ status: { tracking: { tries: 1 } }, creates: [], requeueAtOnce: true });
  await telling.effects[0]?.run(new AbortController().signal);
  expect(told).toEqual([
    {
      generation: 1,
      members: 2,
      children: 2,
      archived: 2,
      evaluations_spent: 1,
      gpu_seconds_spent: 0,
      pass_at_1: 0.6,
      "pass_at_1.base": 0.3,
      "pass_at_1.merge.parsers-c1": 0.6,
      "pass_at_1.mean.parsers-c2": 0.4,
      delta_points: 3,
      delta_points_lower: -1,
      delta_points_upper: 7,
    },
  ]);
  expect(at({ runID: "r1" }).status).toEqual({ mlflowRunID: "r1" });
  expect(at(undefined)).toMatchObject({ kind: "succeeded", reason: "Continued" });
});

it("a tracker that is unavailable, or takes nothing in three tries, keeps no generation from its end", () => {
  const cases: [World["tracking"], object][] = [
    [{ unavailable: "MLflow could not be reached" }, {}],
    ["absent", { tracking: { tries: 3 } }],
  ];
  for (const [found, more] of cases) {
    const outcome = at(found, more);
    expect(outcome).toMatchObject({ effects: [], status: { tracking: { why: expect.any(String) } }, requeueAtOnce: true });
    expect(outcome.events).toMatchObject([{ type: "Warning", reason: "NotTracked" }]);
    expect(at(undefined, { ...more, ...outcome.status })).toMatchObject({ kind: "succeeded" });
  }
});

it("Pass@1 of what hypernetworks made stands beside that of what was fine-tuned, where there are both", () => {
  const source = (name: string) => ({ spec: { source: { kind: "TrainingRun" as const, name } } });
  const runs = new Map([
    ["g", aRunOf("g", { generate: {} })],
    ["s", aRunOf("s", { sft: {} })],
  ]);
  const members: Adapter[] = [anAdapter("a", source("g")), anAdapter("b", source("s")), anAdapter("c", source("gone"))];
  const makers = makersOf(members, runs);
  expect([...makers]).toEqual([
    ["a", "generated"],
    ["b", "fine_tuned"],
  ]);
  const all = { ...status, members: [aMember("a", 0.5), aMember("b", 0.4), aMember("c", 0.9)] };
  expect(metricsOf(aGeneration({ status: all }), makers)).toMatchObject({ "pass_at_1.generated": 0.5, "pass_at_1.fine_tuned": 0.4 });
  expect(Object.keys(metricsOf(aGeneration({ status: all }), new Map([["a", "generated"]])))).not.toContain("pass_at_1.generated");
});

/** An in-memory tracker. */
function aTracker() {
  const runs: { runID: string; experimentID: string; tags: Record<string, string>; metrics: object; ended: boolean }[] = [];
  const of = ({ runID }: { runID: string }) => runs.find((run) => run.runID === runID) as (typeof runs)[number];
  const state = { failsAtEnd: false };
  const mlflow: Tracker = {
    findRun: async ({ tag, value }) => runs.find(({ tags }) => tags[tag] === value) ?? null,
    startRun: async ({ tags = {} }) => {
      const run = { runID: `r${runs.length + 1}`, experimentID: "e", tags: { ...tags }, metrics: {}, ended: false };
      runs.push(run);
      return run;
    },
    logParams: async () => undefined,
    logMetrics: async (run, metrics) => void Object.assign(of(run).metrics, metrics),
    note: async () => undefined,
    tag: async (run, key, value) => void Object.assign(of(run).tags, { [key]: value }),
    endRun: async (run) => {
      if (state.failsAtEnd) throw new Error("away");
      of(run).ended = true;
    },
  };
  return { runs, state, services: { mlflow, config: { mlflow: { experiment: "rune" } } } as unknown as Services };
}

it("a run that was told in part is gone on with, and counts once all of it is told", async () => {
  const { runs, state, services } = aTracker();
  state.failsAtEnd = true;
  await expect(tracking(generation, services)({ members: 2 })).rejects.toThrow("away");
  expect(await readTracking(generation, services)).toBe("absent");
  state.failsAtEnd = false;
  await tracking(generation, services)({ members: 2 });
  expect(runs).toMatchObject([{ runID: "r1", metrics: { members: 2 }, ended: true }]);
  expect(await readTracking(generation, services)).toEqual({ runID: "r1" });
  expect(await readTracking(aGeneration({ status: { mlflowRunID: "r1" } }), services)).toBeUndefined();
});
