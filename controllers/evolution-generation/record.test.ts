import { type Evidence, evidence as evidenceSchema } from "@rune/crds/artifact";
import { describe, expect, it } from "vitest";
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
import { tagOf } from "./evidence.ts";
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

/** What a pass stores, in the order in which it does. */
async function storedBy(over: Partial<World> = {}): Promise<{ outcome: ReturnType<typeof decideOn>; stored: [string, Evidence][] }> {
  const stored: [string, Evidence][] = [];
  const outcome = decideOn({ generation, ...over }, { evidence: async (...pushed) => stored.push(pushed) });
  for (const { run } of outcome.effects) await run(new AbortController().signal);
  return { outcome, stored };
}

describe("what was decided", () => {
  it("is stored as evidence about each adapter before status says that it counts", async () => {
    const { outcome, stored } = await storedBy();
    expect(outcome).toMatchObject({ reason: "Recording", status: undefined });
    expect(stored.map(([repository]) => repository)).toEqual(Array(3).fill("rune/team/adapters"));
    for (const [, document] of stored) expect(evidenceSchema.parse(document)).toEqual(document);
    expect(stored.map(([, document]) => document)).toMatchObject([
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
      { kind: "Retirement", adapter: { name: "king" }, scope: text, successor: { name: child.adapter, digest: child.digest } },
      { kind: "Archival", adapter: { name: "low" }, why: "because" },
    ]);
  });

  it("counts once the registry has it, and what it hasn't is stored again, the same", async () => {
    const [first, second, third] = decisions.map((each) => tagOf(generation, each));
    expect(first).toBe(`${child.digest?.slice(7, 23)}.promotion.uid-of-parsers`);
    const { outcome, stored } = await storedBy({ stored: new Set([first ?? "", third ?? ""]) });
    expect(stored).toEqual([]);
    expect(outcome.status).toMatchObject({
      promoted: child.adapter,
      archived: 1,
      decisions: [{ recorded: true }, { recorded: false }, { recorded: true }],
    });
    expect(outcome.events.map(({ reason }) => reason)).toEqual(["Promoted", "Archived"]);
    const rest = aGeneration({ status: { ...status, ...outcome.status } });
    expect((await storedBy({ generation: rest, stored: new Set() })).stored.map(([, { kind }]) => kind)).toEqual(["Retirement"]);
    const all = await storedBy({ generation: rest, stored: new Set([second ?? ""]) });
    expect(all.outcome.status).toMatchObject({ retired: "king", promoted: child.adapter, archived: 1 });
  });

  it("is nothing more than the end once all of it is stored", async () => {
    const done = aGeneration({ status: { ...status, decisions: decisions.map((each) => ({ ...each, recorded: true })) } });
    const adapters = new Map([[child.adapter ?? "", anAdapter(child.adapter ?? "")]]);
    expect((await storedBy({ generation: done, adapters })).outcome).toMatchObject({ kind: "succeeded", reason: "Continued" });
  });
});
