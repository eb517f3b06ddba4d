import { seeded } from "@rune/clients/statistics/random";
import { describe, expect, it } from "vitest";
import { aMember } from "../testing/evolution-world.ts";
import { candidatesOf, selectParents, tasksWon } from "./tournament.ts";

const members = ["a", "b", "c", "d", "e", "f"].map((name, index) => aMember(name, 0.6 - index / 10));
const candidates = candidatesOf(members);
const rules = { parents: 4, tournamentSize: 3, keepTaskWinners: false };
const nobody = new Map<string, number>();
const select = (seed: number, over: Partial<typeof rules> = {}, won: ReadonlyMap<string, number> = nobody) =>
  selectParents(candidates, won, { ...rules, ...over }, seeded(seed, "test"));
const solving = (...tasks: string[]) => new Map(["t1", "t2", "t3"].map((task) => [task, tasks.includes(task) ? 1 : 0]));

describe("candidates", () => {
  it("are members that were measured and not left out, the best lower bound first", () => {
    const left = [aMember("x"), aMember("y", 0.9, { leftOut: "deleted" }), aMember("low", 0.1), aMember("high", 0.2)];
    expect(candidatesOf(left).map(({ name }) => name)).toEqual(["high", "low"]);
  });
});

describe("a tournament", () => {
  it("is won by the best lower bound of whom were drawn, and nobody becomes a parent twice", () => {
    for (let seed = 0; seed < 50; seed++) {
      const { draws, parents } = select(seed);
      for (const { contestants, winner } of draws) expect(winner).toBe(contestants.toSorted()[0]);
      expect(new Set(parents).size).toBe(4);
      expect(parents).toEqual(parents.toSorted());
    }
  });

  it("draws the same for one seed, and otherwise for another", () => {
    expect(select(1)).toEqual(select(1));
    expect(
      new Set(Array.from({ length: 20 }, (_, seed) => JSON.stringify(select(seed, { tournamentSize: 2 }).parents))).size,
    ).toBeGreaterThan(3);
  });

  it("of one is a lot, and one of all takes the best", () => {
    expect(select(3, { tournamentSize: 6 }).parents).toEqual(["a", "b", "c", "d"]);
    expect(new Set(Array.from({ length: 40 }, (_, seed) => select(seed, { tournamentSize: 1, parents: 2 }).parents).flat()).size).toBe(6);
  });

  it("takes all where there are fewer than asked for", () => {
    expect(select(0, { parents: 16 }).parents).toHaveLength(6);
  });
});

describe("winners of single tasks", () => {
  const results = new Map([
    [members[0]?.digest ?? "", solving("t1")],
    [members[5]?.digest ?? "", solving("t2")],
    ["base", solving("t3")],
  ]);

  it("solve a task better than the base and all others; of equals the better one wins", () => {
    expect(tasksWon(candidates, results)).toEqual(
      new Map([
        ["a", 1],
        ["f", 1],
      ]),
    );
    const both = new Map([
      [members[1]?.digest ?? "", solving("t2")],
      [members[5]?.digest ?? "", solving("t2")],
    ]);
    expect(tasksWon(candidates, both)).toEqual(new Map([["b", 1]]));
    const known = new Map([...both, ["base", solving("t2")]]);
    expect(tasksWon(candidates, known).size).toBe(0);
  });

  it("are half of the parents, however bad on the mean", () => {
    const won = new Map([["f", 3]]);
    for (let seed = 0; seed < 20; seed++) {
      const { draws, parents } = select(seed, { keepTaskWinners: true }, won);
      expect(parents).toContain("f");
      expect(draws.filter(({ kind }) => kind === "TaskWinners").length).toBeLessThanOrEqual(1);
    }
  });

  it("are drawn the oftener the more tasks they win", () => {
    const won = new Map([
      ["e", 1],
      ["f", 9],
    ]);
    const first = Array.from({ length: 200 }, (_, seed) =>
      selectParents(candidates.slice(4), won, { ...rules, parents: 2, keepTaskWinners: true }, seeded(seed, "x")),
    ).flatMap(({ draws }) => draws.find(({ kind }) => kind === "TaskWinners")?.winner ?? []);
    // The tournament takes e, the better one, so only f is left to draw.
    expect(new Set(first)).toEqual(new Set(["f"]));
    const alone = Array.from(
      { length: 300 },
      (_, seed) => select(seed, { parents: 3, keepTaskWinners: true, tournamentSize: 4 }, won).draws[2]?.winner,
    );
    expect(alone.filter((name) => name === "f").length).toBeGreaterThan(220);
    expect(alone.filter((name) => name === "e").length).toBeGreaterThan(5);
  });
});
