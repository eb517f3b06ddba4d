import type { HeldAdapter, LoaderState } from "@rune/crds/loader-api";
import { describe, expect, it } from "vitest";
import { adapter, baseDigest, condition, digestOf, enginePod, modelServer } from "../testing/objects.ts";
import { moveOf, wishes } from "./placement.ts";

const held = (name: string, more: Partial<HeldAdapter> = {}): HeldAdapter => ({ name, digest: digestOf("1"), state: "Loaded", ...more });
const stateWith = (adapters: HeldAdapter[], slots = 2): LoaderState => ({
  engine: { ready: true, bootID: "b", baseDigest, slots, maxRank: 16 },
  adapters,
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
  wishes(world, baseDigest).map(({ name, blocked }) => [name, blocked?.state, blocked?.reason]);
const move = (world: ReturnType<typeof worldOf>, state: LoaderState) => {
  const { load, unload } = moveOf(state, wishes(world, baseDigest), world);
  return { load: load.map(({ metadata }) => metadata.name), unload };
};

describe("wishes", () => {
  it("gives slots in order and says who has them when none is left", () => {
    expect(blockedBy(worldOf({ wanted: ["a", "b", "c"] }))).toEqual([
      ["a", undefined, undefined],
      ["b", undefined, undefined],
      ["c", "Pending", "NoAdapterSlot"],
    ]);
    expect(wishes(worldOf({ wanted: ["a", "b", "c"] }), baseDigest)[2]?.blocked?.message).toContain("a, b");
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

  it("keeps no slot for an adapter that every engine refused for good", () => {
    const refused = stateWith([held("a", { state: "Refused", reason: "NotFinite", message: "has NaN" })]);
    expect(blockedBy(worldOf({ wanted: ["a", "b"], slots: 1, states: [refused] }))[0]).toEqual(["a", "Refused", "NotFinite"]);
    expect(blockedBy(worldOf({ wanted: ["a", "b"], slots: 1, states: [refused, stateWith([])] }))[0]).toEqual(["a", undefined, undefined]);
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

  it("tries again what was refused for now, not what was refused for good", () => {
    const world = worldOf({ wanted: ["a", "b"] });
    const state = stateWith([
      held("a", { state: "Refused", reason: "EngineUnavailable" }),
      held("b", { state: "Refused", reason: "CanaryMismatch" }),
    ]);
    expect(move(world, state)).toEqual({ load: ["a"], unload: [] });
  });
});
