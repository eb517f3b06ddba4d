import { isTrue } from "kopf-ts";
import { afterEach, describe, expect, it } from "vitest";
import { type Breeding, EvolutionLab, type Skill, type Strike } from "../testing/evolution-lab.ts";

/** A whole chain against an API server and a registry, interrupted after each of its writes, before it or after it was carried out. */

/** Six adapters, each good at its own tasks; the last two at none. */
const members = Object.fromEntries(
  Array.from({ length: 6 }, (_, n): [string, Skill] => [`m${n}`, (task) => n < 4 && (task % 8 === n || task % 8 === n + 2)]),
);
/** A merge can do what each of its parents can, a mean only what all can, and the union all but some of it. */
const breeding: Breeding = (kind, parents) => {
  if (kind === "Merge") return (task) => parents.some((solves) => solves(task));
  return kind === "Mean" ? (task) => parents.every((solves) => solves(task)) : (task) => task % 8 === 0;
};
const spec = { maxGenerations: 2, selection: { parents: 3, tournamentSize: 2 }, pruning: { patience: 2, minimumPopulation: 3 } };

let lab: EvolutionLab;
afterEach(() => lab.stop());

async function whole(strike?: Strike): Promise<EvolutionLab> {
  lab = await EvolutionLab.start({ members, breeding, spec }, strike);
  await lab.untilOver();
  return lab;
}

/** What came of it, without times and UIDs. */
const story = ({ generations }: EvolutionLab) =>
  generations.map(({ metadata, status }) => ({
    name: metadata.name,
    members: status?.members?.map(({ name, passAt1, parent, belowBase }) => [name.slice(0, 8), passAt1?.estimate, parent, belowBase]),
    children: status?.children?.map(({ run, kind, state }) => [run, kind, state]),
    outcome: status?.promotion?.outcome,
    archived: status?.archived,
    spent: status?.spent,
    reason: status?.conditions?.find(({ type }) => type === "Succeeded")?.reason,
  }));

const counts = (of: EvolutionLab) =>
  Object.fromEntries(["EvolutionGeneration", "TrainingRun", "Evaluation", "Adapter"].map((kind) => [kind, of.count(kind)]));
const evidence = (of: EvolutionLab) =>
  Object.fromEntries(
    ["Promotion", "Retirement", "Archival"].map((kind) => [
      kind,
      of
        .evidence(kind)
        .map((name) => name.slice(0, 10))
        .sort(),
    ]),
  );

describe("a chain of two generations", () => {
  it("promotes what beats its parents, archives who is below the base, and ends", async () => {
    await whole();
    console.log(
      lab.writes,
      JSON.stringify(story(lab), null, 1),
      counts(lab),
      evidence(lab),
      JSON.stringify(lab.generations[0]?.status?.promotion),
    );
    expect(isTrue(lab.generations[1] as object as never, "Succeeded")).toBe(true);
  });
});
