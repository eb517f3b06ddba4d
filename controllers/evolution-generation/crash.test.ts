import { isTerminal, isTrue } from "kopf-ts";
import { afterEach, describe, expect, it } from "vitest";
import { evolutionGenerations, trainingRuns } from "../shared/resources.ts";
import { type Breeding, EvolutionLab, type Skill, type Strike } from "../testing/evolution-lab.ts";

/**
 * A whole generation against an API server and a registry, interrupted after each write, before or after it is applied.
 */

/** Six adapters; four are good at different tasks, the last two at none. The first is the champion of their domain. */
const members = Object.fromEntries(
  Array.from({ length: 6 }, (_, n): [string, Skill] => [`m${n}`, (task) => n < 4 && (task % 8 === n || task % 8 === n + 2)]),
);
const scopes = Object.fromEntries(Object.keys(members).map((name, n) => [name, { project: "parsers", domain: "text", task: `k${n % 4}` }]));
/**
 * A merge solves what any parent solves, a mean what all solve, the union less, and a scaled parent what it did before.
 */
const breeding: Breeding = (kind, parents) => {
  if (kind === "ScaledParent") return parents[0] ?? (() => false);
  if (kind === "Merge") return (task) => parents.some((solves) => solves(task));
  return kind === "Mean" ? (task) => parents.every((solves) => solves(task)) : (task) => task % 8 === 0;
};
const spec = {
  maxGenerations: 2,
  selection: { parents: 3, tournamentSize: 2 },
  variation: { merge: { children: 1 } },
  pruning: { patience: 1, minimumPopulation: 3 },
};

let lab: EvolutionLab;
afterEach(() => lab.stop());

const hasNext = ({ generations }: EvolutionLab) => generations[1]?.status?.startTime !== undefined;

async function whole(strike?: Strike): Promise<EvolutionLab> {
  lab = await EvolutionLab.start({ members, breeding, spec, scopes, champion: "m0" }, strike);
  await lab.untilOver(hasNext);
  return lab;
}

const named = (kind: string) =>
  lab
    .evidence(kind)
    .map((name) => name.split("-").slice(0, -1).join("-"))
    .map((name) => name.replace(/-[0-9a-f]{8}$/, ""))
    .sort();

/** What was in the registry when the operator was killed is there in the end, byte for byte; no tag was moved at any time. */
function expectRegistryKept(): void {
  const after = lab.inventory();
  expect([...lab.atStrike].filter(([name, bytes]) => after.get(name) !== bytes)).toEqual([]);
  expect(lab.moved).toEqual([]);
}

/** The result, without times and UIDs: nothing lost, nothing duplicated. */
function expectOneOfEach(): void {
  expectRegistryKept();
  const made = ["EvolutionGeneration", "TrainingRun", "Evaluation"].map((kind) => lab.count(kind));
  expect(made).toEqual([2, 4, 4]);
  expect(lab.count("Adapter")).toBe(6 + 4);
  expect(named("Promotion")).toEqual(["parsers-c1"]);
  expect(named("Retirement")).toEqual(["m0"]);
  expect(named("Archival")).toEqual(["m4", "m5", "parsers-c2", "parsers-c4"]);
  const [first, next] = lab.generations;
  expect(first?.status?.children?.map(({ kind, state }) => `${kind} ${state}`)).toEqual([
    "Merge Kept",
    "Mean Dropped",
    "UnionRetrain Kept",
    "ScaledParent Dropped",
  ]);
  expect(first?.status).toMatchObject({ archived: 4, spent: { evaluations: 4 }, next: "parsers-g2" });
  expect(first?.status?.decisions?.every(({ recorded }) => recorded)).toBe(true);
  expect(next?.spec).toMatchObject({
    generation: 2,
    rootRef: { name: "parsers", uid: first?.metadata.uid },
    former: { spent: { evaluations: 4 } },
  });
  // Members measured in the previous generation aren't measured again, and archived ones are no members.
  expect(next?.status?.members?.map(({ passAt1 }) => passAt1 !== undefined)).toEqual([true, true, true, true, true, true]);
}

it("a generation stores task sets first and evidence later, so that a kill late in it finds both in the registry", async () => {
  await whole({ write: 85, before: false });
  expect([...lab.atStrike.keys()].filter((name) => lab.taskSets.has(name))).not.toEqual([]);
  expect([...lab.atStrike.keys()].filter((name) => lab.registry.has(name))).not.toEqual([]);
});

it("a generation measures, begets, promotes what beats its parents, retires the champion, archives, and goes on", async () => {
  await whole();
  expectOneOfEach();
  expect(lab.generations[0]?.status?.promotion).toMatchObject({
    outcome: "Promoted",
    tier: "Domain",
    incumbent: expect.stringMatching(/^m0-/),
  });
  expect(lab.writesOfFirst).toBeGreaterThan(0);
  expect(lab.writesOfFirst).toBeLessThanOrEqual(writesOfAll);
});

/** At least as many as a first generation makes; how many it makes depends on which changes one pass sees together. */
const writesOfAll = 90;
/** A kill before one write leaves the same state as a kill after the write before it, so only some of these run. */
const strikes = Array.from({ length: writesOfAll }, (_, index) => index + 1).flatMap((write) => [
  ["after", write, false] as const,
  ...(write % 5 === 1 ? [["before", write, true] as const] : []),
]);
it.each(strikes)(
  "an operator that is killed %s write %i makes no second child, promotion, archival or generation, and loses none",
  { timeout: 120_000 },
  async (_, write, before) => {
    await whole({ write, before });
    expect(lab.isStruck).toBe(true);
    expectOneOfEach();
  },
);

describe("a chain", { timeout: 120_000 }, () => {
  it("over copies of one adapter promotes nothing, archives nobody of them, and ends by itself", async () => {
    const copies = Object.fromEntries(Array.from({ length: 4 }, (_, n): [string, Skill] => [`copy${n}`, (task) => task % 3 === 0]));
    const same: Breeding = (_, [first]) => first ?? (() => false);
    lab = await EvolutionLab.start({ members: copies, breeding: same, spec: { ...spec, maxGenerations: 5 } });
    await lab.untilOver();
    expect(lab.evidence("Promotion")).toEqual([]);
    expect(lab.evidence("Archival").filter((name) => name.startsWith("copy"))).toEqual([]);
    const last = lab.generations.at(-1);
    expect(last?.status?.conditions?.find(({ type }) => type === "Succeeded")?.reason).toBe("NoImprovement");
    expect(lab.generations).toHaveLength(2);
  });

  it.each([
    ["promotes nothing that its best parent is too, at the same strength", true, []],
    ["without that comparison takes a dose for a combination", false, ["parsers-c1"]],
  ])("%s", async (_, scaledParent, promoted) => {
    const copies = Object.fromEntries(Array.from({ length: 4 }, (_, n): [string, Skill] => [`copy${n}`, (task) => task % 3 === 0]));
    const stronger: Skill = (task) => task % 3 === 0 || task % 7 === 0;
    const dose: Breeding = (kind, [first]) => (kind === "Merge" || kind === "ScaledParent" ? stronger : (first ?? (() => false)));
    const variation = { merge: { children: 1 }, scaledParent };
    lab = await EvolutionLab.start({ members: copies, breeding: dose, spec: { ...spec, variation, maxGenerations: 1 } });
    await lab.untilOver();
    expect(named("Promotion")).toEqual(promoted);
    const { promotion } = lab.generations[0]?.status ?? {};
    expect(promotion?.why).toMatch(scaledParent ? /the scaled parent \S+ .* as strong as parsers-c1-/ : /gained/);
  });

  it("ends where its budget does, with what it knows by then", async () => {
    lab = await EvolutionLab.start({ members, breeding, spec: { ...spec, budget: { evaluations: 1 } }, scopes });
    await lab.untilOver();
    const [only, ...others] = lab.generations;
    expect(others).toEqual([]);
    expect(only?.status?.conditions?.find(({ type }) => type === "Succeeded")?.reason).toBe("BudgetExhausted");
    expect(only?.status?.children?.map(({ state }) => state)).toEqual(["Failed", "Failed", "Failed"]);
    expect(only?.status).toMatchObject({ spent: { evaluations: 1 }, promotion: { outcome: "NotPromoted" }, archived: 2 });
    expect(lab.count("Evaluation")).toBe(1);
  });

  it("waits while the registry takes nothing, and decides nothing twice when it is back", async () => {
    lab = await EvolutionLab.start({ members, breeding, spec, scopes, champion: "m0" });
    await lab.untilOver(({ generations }) => generations[0]?.status?.startTime !== undefined);
    lab.away = true;
    await lab.untilOver(({ generations }) => generations[0]?.status?.pruned === true);
    const decided = lab.generations[0]?.status?.decisions?.map(({ time }) => time);
    expect(lab.generations).toHaveLength(1);
    expect(lab.generations[0]?.status).toMatchObject({ archived: 0 });
    lab.away = false;
    await lab.untilOver(hasNext);
    expectOneOfEach();
    expect(lab.generations[0]?.status?.decisions?.map(({ time }) => time)).toEqual(decided);
  });

  it("stops while its first generation is suspended, with its runs, and goes on", async () => {
    lab = await EvolutionLab.start({ members, breeding, spec, scopes });
    await lab.untilOver(hasNext);
    const suspend = (suspend: boolean) => {
      const root = lab.generations[0];
      if (root) lab.api.put(evolutionGenerations, { ...root, spec: { ...root.spec, suspend } });
    };
    suspend(true);
    await lab.untilOver(({ generations }) => generations[1]?.status?.conditions?.some(({ reason }) => reason === "Suspended") ?? false);
    const settled = async () => {
      for (let second = 0; second < 20; second++) await lab.clock.advance(1000);
      await new Promise((resolve) => setTimeout(resolve, 200));
    };
    await settled();
    const before = lab.writes;
    await settled();
    expect(lab.api.all(trainingRuns).filter((run) => !isTerminal(run) && !run.spec.suspend)).toEqual([]);
    expect(lab.writes).toBe(before);
    suspend(false);
    await lab.untilOver();
    expect(lab.generations.map((each) => isTrue(each, "Succeeded"))).toEqual([true, true]);
  });
});
