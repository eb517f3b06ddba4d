import { ArtifactMissing } from "@rune/clients/registry/registry";
import { describe, expect, it } from "vitest";
import type { Services } from "../shared/services.ts";
import { now } from "../testing/builders.ts";
import { found, reference, setOf } from "../testing/evaluation-world.ts";
import { aGeneration, anAdapter, decideOn, interval, statusOf, taskSet, text } from "../testing/evolution-world.ts";
import { modelServer } from "../testing/objects.ts";
import { observe } from "./observe.ts";
import type { World } from "./world.ts";

describe("the beginning", () => {
  it("freezes members, tasks and what is known of the members on these very tasks", () => {
    const evidence = { passAt1: interval(0.5), base: interval(0.2), evaluation: "e", evaluationUID: "u", time: "2026-01-01T00:00:00Z" };
    const first = decideOn();
    expect(first).toMatchObject({
      reason: "PopulationFrozen",
      status: { memberCount: 2, members: [{ name: "a" }, { name: "b" }] },
    });
    const measured = { evidence: [{ ...evidence, taskSet: statusOf(first).taskSet }] };
    const again = decideOn({ population: [anAdapter("a", { status: measured }), anAdapter("b")] });
    expect(again.status).toMatchObject({ members: [{ name: "b" }, { name: "a", passAt1: interval(0.5) }], base: interval(0.2) });
    const elsewhere = { evidence: [{ ...evidence, taskSet: { ...taskSet, tasks: 3 } }] };
    expect(statusOf(decideOn({ population: [anAdapter("a", { status: elsewhere }), anAdapter("b")] })).members).not.toContainEqual(
      expect.objectContaining({ passAt1: expect.anything() }),
    );
  });

  it("leaves out who can't be a member, and beyond the maximum who is worst", () => {
    const wrong = [
      anAdapter("archived", { status: { archived: true } }),
      anAdapter("control", { spec: { control: true } }),
      anAdapter("large", { spec: { rank: 512 } }),
      anAdapter("other", { spec: { base: { name: "o", digest: taskSet.digest } } }),
    ];
    expect(statusOf(decideOn({ population: [...wrong, anAdapter("a"), anAdapter("b")] })).memberCount).toBe(2);
    const generation = aGeneration({ spec: { population: { matchLabels: {}, maximum: 2 }, selection: { parents: 2, tournamentSize: 2 } } });
    const champion = anAdapter("z", { status: { champion: text } });
    expect(decideOn({ generation, population: [anAdapter("a"), anAdapter("b"), champion] }).status).toMatchObject({
      members: [{ name: "z", champion: true }, { name: "a" }],
      omitted: { count: 1, names: ["b"] },
    });
    const { metadata, ...newest } = anAdapter("b");
    const created = { ...newest, metadata: { ...metadata, creationTimestamp: "2030-01-01T00:00:00Z" } };
    expect(decideOn({ generation, population: [anAdapter("a"), created, champion] }).status).toMatchObject({
      members: [{ name: "z" }, { name: "b" }],
    });
  });

  it("leaves out whom the generation before archived, though the Adapter doesn't show it yet", () => {
    const former = { name: "g1", spent: { evaluations: 0, gpuSeconds: 0 }, withoutImprovement: 0, belowBase: [], archived: ["a"] };
    const generation = aGeneration({ spec: { generation: 2, rootRef: { name: "root", uid: "u" }, former } });
    const population = [anAdapter("a"), anAdapter("b"), anAdapter("c")];
    expect(decideOn({ generation, population }).status).toMatchObject({ members: [{ name: "b" }, { name: "c" }] });
  });

  it("waits until who was promoted before shows it, but for none that is gone or archived, and for ten minutes at most", () => {
    const former = { name: "g1", spent: { evaluations: 0, gpuSeconds: 0 }, withoutImprovement: 0, belowBase: [], archived: [] };
    const spec = { generation: 2, rootRef: { name: "root", uid: "u" }, former: { ...former, promoted: "queen" } };
    const after = (minutes: number, queen?: object) => {
      const creationTimestamp = new Date(now.getTime() - minutes * 60_000).toISOString();
      const { metadata, ...rest } = aGeneration({ spec });
      const generation = { ...rest, metadata: { ...metadata, creationTimestamp } };
      return decideOn({ generation, adapters: new Map(queen ? [["queen", anAdapter("queen", { status: queen })]] : []) }).reason;
    };
    expect([after(1, {}), after(9, {}), after(10, {})]).toEqual(["ChampionPending", "ChampionPending", "PopulationFrozen"]);
    for (const status of [{ champion: text }, { archived: true }, undefined]) expect(after(1, status)).toBe("PopulationFrozen");
  });

  it("stores its tasks in the registry first, and each set once", async () => {
    const set = setOf(Array.from({ length: 40 }, () => text));
    const apart = { ...found(set), stored: false };
    const stored: unknown[] = [];
    const keep = { tasks: async (...pushed: unknown[]) => void stored.push(pushed) };
    const outcome = decideOn({ tasks: { fitness: apart, promotion: apart } }, keep);
    expect(outcome).toMatchObject({ reason: "StoringTasks", status: undefined, requeueAtOnce: true });
    for (const { run } of outcome.effects) await run(new AbortController().signal);
    expect(stored).toEqual([[set, "rune/team/tasks"]]);
    expect(decideOn({ tasks: { fitness: found(set), promotion: apart } }, keep).effects).toHaveLength(1);
  });

  it("chooses from each set once a pass, and reads a set that both are parts of once", async () => {
    const { tasks, ...rest } = setOf(Array.from({ length: 40 }, () => text));
    let chosen = 0;
    const counted = {
      ...rest,
      get tasks() {
        chosen += 1;
        return tasks;
      },
    };
    const state = { set: counted, reference, stored: true };
    expect(decideOn({ tasks: { fitness: state, promotion: state } }).reason).toBe("PopulationFrozen");
    // Of each set the part, the whole part, and the scope that all tasks share.
    expect(chosen).toBe(6);
    let asked = 0;
    const manifest = async () => {
      asked += 1;
      throw new ArtifactMissing("not there");
    };
    const configMap = { data: { "tasks.jsonl": tasks.map((task) => JSON.stringify(task)).join("\n") } };
    const cache = ({ kind }: { kind: string }) => ({ get: () => (kind === "ConfigMap" ? configMap : undefined), list: () => [] });
    const services = { registry: () => ({ manifest }) } as unknown as Services;
    const world = await observe(aGeneration(), { cache } as never, services);
    expect(world.tasks?.fitness).toMatchObject({ stored: false });
    expect([world.tasks?.promotion === world.tasks?.fitness, asked]).toEqual([true, 1]);
  });

  const set = setOf([text, text, text]);
  it.each<[string, Partial<World>, string]>([
    ["without its server", { server: undefined }, "ServerMissing"],
    ["while its server starts", { server: modelServer("qwen") }, "ServerNotReady"],
    ["without tasks of the part", { tasks: { fitness: found(setOf([text])), promotion: found(setOf([text])) } }, "PartEmpty"],
    ["with one adapter", { population: [anAdapter("a")] }, "PopulationTooSmall"],
    [
      "while an adapter is verified",
      { population: [anAdapter("a"), anAdapter("b", { status: { conditions: [] } })] },
      "PopulationTooSmall",
    ],
    [
      "where tasks that select decide as well",
      {
        generation: aGeneration({
          spec: { fitness: { taskSet: { configMap: { name: "x" } } }, promotion: { taskSet: { configMap: { name: "y" } } } },
        }),
        tasks: { fitness: found(set), promotion: found(set) },
      },
      "TasksOverlap",
    ],
  ])("waits %s", (_, world, reason) => {
    expect(decideOn(world)).toMatchObject({ reason, creates: [], status: undefined });
  });
});
