import { Registry } from "@rune/clients/registry/registry";
import { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import { type Evidence, evidence as evidenceSchema } from "@rune/crds/contracts/evidence";
import { timestamp } from "kopf-ts";
import { describe, expect, it } from "vitest";
import type { PieceState } from "../evidence/state.ts";
import type { Services } from "../shared/services.ts";
import { now } from "../testing/builders.ts";
import {
  aChild,
  aGeneration,
  aMember,
  anAdapter,
  decideOn,
  interval,
  promotionTaskSet,
  taskSet,
  text,
} from "../testing/evolution-world.ts";
import { readRecords, tagOf } from "./evidence.ts";
import type { Decision, World } from "./world.ts";

const child = aChild("parsers-c1", "Kept", { passAt1: interval(0.7) });
const decision = (kind: Decision["kind"], name: string, digest: string): Decision => ({
  kind,
  adapter: name,
  digest,
  repository: "rune/team/adapters",
  time: "2026-11-23T12:00:00Z",
  why: "because",
  recorded: false,
});
const king = aMember("king");
const decisions = [
  decision("Promotion", child.adapter ?? "", child.digest ?? ""),
  decision("Retirement", "king", king.digest),
  decision("Archival", "low", aMember("low").digest),
];
const promotion = {
  candidate: child.adapter,
  tier: "Domain",
  scope: text,
  bestParent: "a",
  incumbent: "king",
  baseline: "a",
  delta: interval(9, 3),
  outcome: "Promoted",
  why: "gained",
};
const status = {
  startTime: "2026-11-23T11:00:00Z",
  taskSet,
  promotionTaskSet,
  base: interval(0.3),
  members: [aMember("a", 0.5), aMember("b", 0.4)],
  selection: { draws: [], parents: ["a", "b"] },
  children: [child],
  promotion,
  pruned: true,
  decisions,
};
const generation = aGeneration({ status });

/** What a pass stores, in order. */
async function storedBy(over: Partial<World> = {}): Promise<{ outcome: ReturnType<typeof decideOn>; stored: [string, Evidence][] }> {
  const stored: [string, Evidence][] = [];
  const outcome = decideOn({ generation, ...over }, { evidence: async (...pushed) => stored.push(pushed) });
  for (const { run } of outcome.effects) await run(new AbortController().signal);
  return { outcome, stored };
}

const promotedAlready = decisions.map((each) => (each.kind === "Promotion" ? { ...each, recorded: true } : each));
const held = (...tags: (string | undefined)[]) => new Map<string, PieceState>(tags.map((tag) => [tag ?? "", "stored"]));

describe("what was decided", () => {
  it("is stored as evidence about each adapter before status says that it counts", async () => {
    const { outcome, stored } = await storedBy();
    expect(outcome).toMatchObject({ reason: "Recording", status: undefined });
    expect(stored.map(([repository]) => repository)).toEqual(Array(2).fill("rune/team/adapters"));
    for (const [, document] of stored) expect(evidenceSchema.parse(document)).toEqual(document);
    const { stored: later } = await storedBy({ generation: aGeneration({ status: { ...status, decisions: promotedAlready } }) });
    expect([...stored, ...later.slice(0, 1)].map(([, document]) => document)).toMatchObject([
      {
        kind: "Promotion",
        adapter: { name: child.adapter, digest: child.digest },
        by: { kind: "EvolutionGeneration", namespace: "team", name: "parsers", uid: "uid-of-parsers" },
        time: "2026-11-23T12:00:00Z",
        tier: "Domain",
        scope: text,
        over: [{ name: "a" }, { name: "king" }],
        delta: { estimate: 9, lower: 6, upper: 12 },
      },
      { kind: "Archival", adapter: { name: "low" }, why: "because" },
      { kind: "Retirement", adapter: { name: "king" }, scope: text, successor: { name: child.adapter, digest: child.digest } },
    ]);
  });

  it("counts once the registry has it, and what it hasn't is stored again, the same", async () => {
    const [first, second, third] = decisions.map((each) => tagOf(generation, each));
    expect(first).toBe(`${child.digest?.slice(7, 23)}.promotion.uid-of-parsers`);
    const { outcome, stored } = await storedBy({ records: held(first, third) });
    expect(stored).toEqual([]);
    expect(outcome.status).toMatchObject({
      promoted: child.adapter,
      archived: 1,
      decisions: [{ recorded: true, recordedTime: timestamp(now) }, { recorded: false }, { recorded: true }],
    });
    expect(outcome.events.map(({ reason }) => reason)).toEqual(["Promoted", "Archived"]);
    const rest = aGeneration({ status: { ...status, ...outcome.status } });
    expect((await storedBy({ generation: rest })).stored.map(([, { kind }]) => kind)).toEqual(["Retirement"]);
    const all = await storedBy({ generation: rest, records: held(second) });
    expect(all.outcome.status).toMatchObject({ retired: "king", promoted: child.adapter, archived: 1 });
  });

  it("is nothing more than the end once all of it is stored", async () => {
    const done = aGeneration({ status: { ...status, decisions: decisions.map((each) => ({ ...each, recorded: true })) } });
    const adapters = new Map([[child.adapter ?? "", anAdapter(child.adapter ?? "")]]);
    expect((await storedBy({ generation: done, adapters })).outcome).toMatchObject({ kind: "succeeded", reason: "Continued" });
  });

  const refusedAs = (kind: Decision["kind"]) =>
    new Map<string, PieceState>(
      decisions.filter((each) => each.kind === kind).map((each) => [tagOf(generation, each), { refused: "it is gone" }]),
    );

  it("and can't ever be stored isn't in force, and keeps nothing else from it", async () => {
    const { outcome } = await storedBy({
      records: new Map([...refusedAs("Archival"), ...held(tagOf(generation, decisions[0] as Decision))]),
    });
    expect(outcome.status).toMatchObject({
      promoted: child.adapter,
      archived: 0,
      decisions: [{ recorded: true }, { recorded: false }, { recorded: false, refused: "it is gone" }],
    });
    expect(outcome.events).toMatchObject([
      { type: "Normal", reason: "Promoted" },
      { type: "Warning", reason: "DecisionRefused", note: "the Archival of low isn't in force: it is gone" },
    ]);
    const rest = aGeneration({ status: { ...status, ...outcome.status } });
    expect((await storedBy({ generation: rest })).stored.map(([, { kind }]) => kind)).toEqual(["Retirement"]);
    const over = await storedBy({
      generation: aGeneration({
        status: { ...status, ...outcome.status, decisions: [{ ...decisions[2], refused: "it is gone" }] },
      }),
    });
    expect(over.outcome).toMatchObject({ reason: "Continued" });
    expect(over.outcome.creates[0]?.spec.former.archived).toEqual([]);
  });

  it("of a champion that there can't be retires nobody, and Promoted is False", async () => {
    const { outcome } = await storedBy({ records: refusedAs("Promotion") });
    expect(outcome.status).toMatchObject({
      promotion: { candidate: child.adapter, outcome: "NotPromoted", why: expect.stringContaining("it is gone") },
      decisions: [{ refused: "it is gone" }, { refused: expect.stringContaining("isn't in force") }, { recorded: false }],
    });
    expect(outcome.status).not.toHaveProperty("promoted");
    expect(outcome.conditions).toMatchObject([{ type: "Promoted", status: "False", reason: "NotPromoted" }]);
  });

  it("is stored in every repository that takes it, whatever another one says", async () => {
    const elsewhere = { ...(decisions[0] as Decision), repository: "shared/adapters" };
    const mixed = aGeneration({ status: { ...status, decisions: [elsewhere, ...decisions.slice(1)] } });
    const stored: string[] = [];
    const evidence = async (repository: string) => {
      if (repository === "shared/adapters") throw new Error("it takes nothing");
      stored.push(repository);
    };
    const [effect] = decideOn({ generation: mixed }, { evidence }).effects;
    await expect(effect?.run(new AbortController().signal)).rejects.toThrow("it takes nothing");
    expect(stored).toEqual(["rune/team/adapters"]);
  });

  it("is looked for in the registry: what is there, what can be, and what can't", async () => {
    const memory = await MemoryRegistry.start();
    const clock = { now: () => 0, wait: async () => undefined, random: () => 0 };
    const services = { registry: () => new Registry({ url: memory.url, clock }) } as unknown as Services;
    const digest = memory.put({ schemaVersion: 2, config: { mediaType: "x", ...memory.put({}) }, layers: [] }).digest;
    const about = decisions.map((each) => (each.kind === "Retirement" ? each : { ...each, digest }));
    const looking = aGeneration({ status: { ...status, decisions: about } });
    const [promotionTag = "", retirementTag, archivalTag] = about.map((each) => tagOf(looking, each));
    memory.put({ schemaVersion: 2, config: { mediaType: "x", ...memory.put({}) }, layers: [] }, promotionTag);
    expect(Object.fromEntries(await readRecords(looking, services))).toEqual({
      [promotionTag]: { refused: expect.stringContaining(`${promotionTag} leads to`) },
      [retirementTag ?? ""]: { refused: expect.stringContaining("the registry has no rune/team/adapters@") },
      [archivalTag ?? ""]: "unstored",
    });
    memory.away = true;
    expect((await readRecords(looking, services)).size).toBe(0);
    await memory.stop();
  });
});
