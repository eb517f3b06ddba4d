import type { HeldAdapter, LoaderState } from "@rune/crds/contracts/loader";
import { describe, expect, it } from "vitest";
import { adapter, baseDigest, condition, digestOf, enginePod, modelServer } from "../testing/objects.ts";
import { loadPlanFor, placements } from "./placement.ts";

const held = (name: string, more: Partial<HeldAdapter> = {}): HeldAdapter => ({ name, digest: digestOf("1"), state: "Loaded", ...more });
const stateWith = (adapters: HeldAdapter[], slots = 2, wanted: string[] = []): LoaderState => ({
  engine: { ready: true, bootID: "b", baseDigest, slots, maxRank: 16 },
  adapters,
  wanted,
});

function worldOf(options: { wanted: string[]; adapters?: ReturnType<typeof adapter>[]; slots?: number; states?: LoaderState[] }) {
  const known = options.adapters ?? options.wanted.map((name) => adapter(name));
  return {
    server: modelServer("coder", { spec: { adapters: { slots: options.slots ?? 2, maxRank: 16 } } }),
    adapters: new Map(known.map((one) => [one.metadata.name, one])),
    demands: options.wanted.map((name) => ({ name, by: `AgentSession wants-${name}` })),
    engines: (options.states ?? []).map((state, index) => ({ pod: enginePod(`coder-${index}`), state })),
    lastUses: new Map<string, string>(),
  };
}
const blockedBy = (world: ReturnType<typeof worldOf>) =>
  placements(world, baseDigest).map(({ name, blocked }) => [name, blocked?.state, blocked?.reason]);
const move = (world: ReturnType<typeof worldOf>, state: LoaderState) => {
  const { load, unload } = loadPlanFor(state, placements(world, baseDigest), { ...world, baseDigest });
  return { load: load.map(({ metadata }) => metadata.name), unload };
};

describe("wishes", () => {
  it("gives slots in order and says who has them when none is left", () => {
    expect(blockedBy(worldOf({ wanted: ["a", "b", "c"] }))).toEqual([
      ["a", undefined, undefined],
      ["b", undefined, undefined],
      ["c", "Pending", "NoAdapterSlot"],
    ]);
    expect(placements(worldOf({ wanted: ["a", "b", "c"] }), baseDigest)[2]?.blocked?.message).toContain("a, b");
  });

  it.each([
    ["isn't there", [], "Pending", "NotFound"],
    ["isn't verified", [adapter("a", { status: { conditions: [condition("Ready", "False")] } })], "Pending", "AdapterNotReady"],
    ["has too large a rank", [adapter("a", { spec: { rank: 64 } })], "Refused", "RankTooLarge"],
    ["is for another base", [adapter("a", { spec: { base: { name: "x", digest: digestOf("c") } } })], "Refused", "BaseMismatch"],
  ])("keeps no slot for an adapter that %s", (_what, adapters, state, reason) => {
    const world = worldOf({ wanted: ["a", "b"], adapters: [...adapters, adapter("b")], slots: 1 });
    expect(blockedBy(world)).toEqual([
      ["a", state, reason],
      ["b", undefined, undefined],
    ]);
  });

  it("keeps no slot for an adapter that every engine refused permanently", () => {
    const refused = stateWith([held("a", { state: "Refused", reason: "NotFinite", message: "has NaN" })]);
    expect(blockedBy(worldOf({ wanted: ["a", "b"], slots: 1, states: [refused] }))[0]).toEqual(["a", "Refused", "NotFinite"]);
    expect(blockedBy(worldOf({ wanted: ["a", "b"], slots: 1, states: [refused, stateWith([])] }))[0]).toEqual(["a", undefined, undefined]);
  });
});

describe("what clients ask for by name", () => {
  const asked = (world: ReturnType<typeof worldOf>, state: LoaderState) => {
    const { load, unload, answer } = loadPlanFor(state, placements(world, baseDigest), { ...world, baseDigest });
    return { load: load.map(({ metadata }) => metadata.name), unload, answer };
  };
  const known = (names: string[], more: Partial<Parameters<typeof worldOf>[0]> = {}) =>
    worldOf({ wanted: [], adapters: names.map((name) => adapter(name)), ...more });

  it("is loaded where a slot is free", () => {
    expect(asked(known(["a"]), stateWith([], 2, ["a"]))).toEqual({ load: ["a"], unload: [], answer: [] });
  });

  it("takes the slot of the adapter that was used least recently, by sessions or by clients, and answers nobody now", () => {
    const held3 = [
      held("busy", { open: 1 }),
      held("new", { open: 0, lastUsed: "2026-03-01T00:00:00Z" }),
      held("old", { lastUsed: "2026-01-05T00:00:00Z" }),
      held("older"),
    ];
    const world = { ...known(["a", "busy", "new", "old", "older"]), lastUses: new Map([["older", "2026-02-01T00:00:00Z"]]) };
    expect(asked(world, stateWith(held3, 4, ["a"]))).toEqual({ load: ["a"], unload: ["old"], answer: [] });
  });

  it("takes no slot from what sessions, evaluations and residents want", () => {
    const world = known(["a", "b", "x"], { wanted: ["a", "b"], slots: 2 });
    expect(asked(world, stateWith([held("a"), held("b")], 2, ["x"]))).toEqual({
      load: [],
      unload: [],
      answer: [{ name: "x", retrySeconds: 15, message: expect.stringContaining("keep a, b") }],
    });
  });

  it("waits for its turn where every idle adapter answers somebody", () => {
    const { load, answer } = asked(known(["a", "b", "x"]), stateWith([held("a", { open: 2 }), held("b", { open: 1 })], 2, ["x"]));
    expect([load, answer]).toEqual([[], [{ name: "x", retrySeconds: 5, message: expect.stringContaining("raise spec.adapters.slots") }]]);
  });

  it("comes after what is claimed, and several of them get what slots there are", () => {
    const world = known(["a", "x", "y", "z"], { wanted: ["a"], slots: 3 });
    const { load, unload, answer } = asked(world, stateWith([held("idle")], 3, ["x", "y", "z"]));
    expect([load, unload, answer.map(({ name }) => name)]).toEqual([["a", "x", "y"], ["idle"], ["z"]]);
  });

  it.each([
    ["doesn't exist", [], undefined, "there is no Adapter x in namespace default"],
    ["is being deleted", [adapter("x", { metadata: { deletionTimestamp: "2026-01-02T00:00:00Z" } })], undefined, "there is no Adapter x"],
    ["is archived", [adapter("x", { status: { archived: true, conditions: [condition("Ready")] } })], undefined, "rune.dev/restore"],
    ["isn't verified yet", [adapter("x", { status: { conditions: [condition("Ready", "False")] } })], 5, "isn't verified"],
    ["has too large a rank", [adapter("x", { spec: { rank: 64 } })], undefined, "raise spec.adapters.maxRank"],
    [
      "is for another base",
      [adapter("x", { spec: { base: { name: "y", digest: digestOf("c") } } })],
      undefined,
      "use a server of that base",
    ],
  ])("is answered when it %s", (_what, adapters, retrySeconds, message) => {
    const { load, answer } = asked(known([], { adapters }), stateWith([], 2, ["x"]));
    const retry = retrySeconds === undefined ? {} : { retrySeconds };
    expect([load, answer]).toEqual([[], [{ name: "x", message: expect.stringContaining(message), ...retry }]]);
  });

  it("isn't loaded twice while it is on its way", () => {
    expect(asked(known(["a"]), stateWith([held("a", { state: "Staging" })], 2, ["a"]))).toEqual({ load: [], unload: [], answer: [] });
  });
});

describe("moves", () => {
  it("loads what is missing and leaves idle adapters where they are while there is room", () => {
    expect(move(worldOf({ wanted: ["a"], adapters: [adapter("a"), adapter("idle")] }), stateWith([held("idle")]))).toEqual({
      load: ["a"],
      unload: [],
    });
  });

  it("evicts the least recently used idle adapter, never one that is wanted, and only as many as needed", () => {
    const world = { ...worldOf({ wanted: ["a", "b"], adapters: ["a", "b", "old", "new"].map((name) => adapter(name)), slots: 3 }) };
    world.lastUses = new Map([
      ["old", "2026-01-01T00:00:00Z"],
      ["new", "2026-02-01T00:00:00Z"],
    ]);
    expect(move(world, stateWith([held("new"), held("a"), held("old")], 3))).toEqual({ load: ["b"], unload: ["old"] });
  });

  it("does nothing when all is there, also while one is still being staged", () => {
    expect(move(worldOf({ wanted: ["a", "b"] }), stateWith([held("a"), held("b", { state: "Staging" })]))).toEqual({
      load: [],
      unload: [],
    });
  });

  it("unloads an adapter whose object is gone or going, though nobody needs its slot", () => {
    const going = adapter("going", { metadata: { deletionTimestamp: "2026-01-02T00:00:00Z" } });
    expect(move(worldOf({ wanted: [], adapters: [going] }), stateWith([held("going"), held("gone")]))).toEqual({
      load: [],
      unload: ["going", "gone"],
    });
  });

  it("tries again what was refused for now, not what was refused permanently", () => {
    const world = worldOf({ wanted: ["a", "b"] });
    const state = stateWith([
      held("a", { state: "Refused", reason: "EngineUnavailable" }),
      held("b", { state: "Refused", reason: "CanaryMismatch" }),
    ]);
    expect(move(world, state)).toEqual({ load: ["a"], unload: [] });
  });
});

it("an archived adapter leaves where nobody claims it and it answers nobody, though its slot isn't needed", () => {
  const archived = adapter("a", { status: { archived: true, conditions: [condition("Ready")] } });
  const idle = worldOf({ wanted: [], adapters: [archived, adapter("b")], slots: 4 });
  expect(move(idle, stateWith([held("a"), held("b")], 4)).unload).toEqual(["a"]);
  expect(move(idle, stateWith([held("a", { open: 1 })], 4)).unload).toEqual([]);
  const claimed = worldOf({ wanted: ["a"], adapters: [archived], slots: 4 });
  expect(move(claimed, stateWith([held("a")], 4)).unload).toEqual([]);
});
