import { describe, expect, it } from "vitest";
import { aSession } from "../testing/builders.ts";
import { aGeneration, begun, decideOn, ours, selected } from "../testing/evolution-world.ts";
import { digestOf } from "../testing/objects.ts";
import { pairsIn } from "./retraining.ts";
import type { World } from "./world.ts";

const trajectory = { repository: "rune/team/trajectories", digest: digestOf("1") };
const spec = {
  variation: { generate: { hypernetwork: { run: "first" } } },
  hypernetwork: { sessions: { matchLabels: { team: "blue" } }, retrainAfterPairs: 5, settings: { steps: 7, minimumPairs: 12 } },
};
const pairsOf = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ ...trajectory, digest: `sha256:${String(n).padStart(64, "0")}` }));
/** A generation that has decided everything and is recorded in the experiment tracker. */
const over = {
  ...selected,
  children: [],
  promotion: { outcome: "NotPromoted", why: "nobody" },
  pruned: true,
  decisions: [],
  mlflowRunID: "m",
};
const at = (hypernetwork: object, world: Partial<World> = {}, more: object = {}) =>
  decideOn({ generation: aGeneration({ spec: { ...spec, ...more }, status: { ...over, hypernetwork } }), ...world });

it("learns from sessions that were solved and are sealed", () => {
  const sessions = [{ outcome: "Solved", trajectory }, { outcome: "Exhausted", trajectory }, { outcome: "Solved" }, undefined];
  expect(pairsIn(sessions.map((status) => aSession({ status })))).toEqual([trajectory]);
});

describe("a hypernetwork", () => {
  it("is known from the first generation's beginning by how many sessions there were, later by what it has learnt from", () => {
    expect(decideOn({ generation: aGeneration({ spec }), pairs: pairsOf(12) }).status).toMatchObject({ hypernetwork: { pairs: 12 } });
    const former = { name: "g", spent: { evaluations: 0, gpuSeconds: 0 }, withoutImprovement: 0, belowBase: [], archived: [], pairs: 9 };
    const later = { ...spec, generation: 2, rootRef: { name: "root", uid: "u" }, former };
    expect(decideOn({ generation: aGeneration({ spec: later }), pairs: pairsOf(12) }).status).toMatchObject({ hypernetwork: { pairs: 9 } });
  });

  it("is trained again once enough sessions more were solved: decided first, then made, then handed on", () => {
    expect(at({ pairs: 10 }, { pairs: pairsOf(14) }).creates.map(({ kind }) => kind)).toEqual(["EvolutionGeneration"]);
    const decided = at({ pairs: 10 }, { pairs: pairsOf(15) });
    expect(decided).toMatchObject({ creates: [], reason: "Retraining", status: { hypernetwork: { pairs: 15, run: "parsers-h1" } } });
    const made = at({ pairs: 15, run: "parsers-h1" }, { pairs: pairsOf(16) });
    expect(made.creates).toMatchObject([
      {
        kind: "TrainingRun",
        metadata: { name: "parsers-h1" },
        spec: { hypernetwork: { steps: 7 }, corpus: { artifacts: pairsOf(16) } },
      },
    ]);
    expect(made.creates[0]?.metadata.ownerReferences).toBeUndefined();
    const retraining = ours("parsers-h1", [], { labels: made.creates[0]?.metadata.labels }) as never;
    const [next] = at({ pairs: 15, run: "parsers-h1" }, { pairs: pairsOf(16), retraining }).creates;
    expect(next?.spec).toMatchObject({ former: { pairs: 15 }, variation: { generate: { hypernetwork: { run: "parsers-h1" } } } });
  });

  it("learns from the newest that one run takes, and isn't made of nothing", () => {
    const [made] = at({ pairs: 700, run: "parsers-h1" }, { pairs: pairsOf(700) }).creates;
    expect(made?.spec).toMatchObject({ corpus: { artifacts: pairsOf(500) } });
    expect(at({ pairs: 700, run: "parsers-h1" }, { pairs: [] }).creates.map(({ kind }) => kind)).toEqual(["EvolutionGeneration"]);
  });

  it("isn't trained again from fewer sessions than its training needs, for which the run would wait", () => {
    const reasonWith = (pairs: number, settings?: object) =>
      at({ pairs: 0 }, { pairs: pairsOf(pairs) }, { hypernetwork: { ...spec.hypernetwork, settings } }).reason;
    expect([reasonWith(11, { minimumPairs: 12 }), reasonWith(12, { minimumPairs: 12 })]).toEqual(["Continued", "Retraining"]);
    expect([reasonWith(49), reasonWith(50)]).toEqual(["Continued", "Retraining"]);
  });

  it("isn't trained again while another chain's run has the name, which the chain waits to be deleted", () => {
    const another = ours("parsers-h1", ["Succeeded"], {
      labels: { "rune.dev/generation": "parsers", "rune.dev/former-uid": "uid-of-another" },
    }) as never;
    const outcome = at({ pairs: 15, run: "parsers-h1" }, { retraining: another });
    expect(outcome).toMatchObject({ kind: "stalled", reason: "RetrainingExists", creates: [] });
    expect(outcome.message).toContain("TrainingRun parsers-h1 of another chain exists; delete it");
  });

  it("isn't trained for a chain that ends here, nor beyond its GPU hours", () => {
    expect(at({ pairs: 0 }, { pairs: pairsOf(99) }, { maxGenerations: 1 })).toMatchObject({ kind: "succeeded", creates: [] });
    const former = { name: "g", spent: { evaluations: 0, gpuSeconds: 7200 }, withoutImprovement: 0, belowBase: [], archived: [] };
    const later = { generation: 2, rootRef: { name: "root", uid: "u" }, former, budget: { gpuHours: 2 } };
    expect(at({ pairs: 0 }, { pairs: pairsOf(99) }, later)).toMatchObject({ kind: "succeeded", reason: "BudgetExhausted", creates: [] });
  });

  it("stays as it is where nobody asked for more", () => {
    const [next] = decideOn({ generation: aGeneration({ status: over }), pairs: undefined }).creates;
    expect(next?.spec.former).not.toHaveProperty("pairs");
    expect(begun).not.toHaveProperty("hypernetwork");
  });
});
