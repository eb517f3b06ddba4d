import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adapterOf, setOf } from "../testing/evaluation-world.ts";
import { assignedByScope, shuffledAssignment } from "./assign.ts";

const parsers = (task?: string) => ({ project: "parsers", domain: "csv", ...(task && { task }) });

describe("an assignment by scope", () => {
  it("gives each task what a session of its scope would choose, and the base what fits nothing", () => {
    const { tasks } = setOf([parsers("a"), parsers("b"), { project: "parsers" }, { project: "other" }, undefined]);
    const adapters = [adapterOf("of-a", parsers("a")), adapterOf("of-domain", parsers()), adapterOf("of-project", { project: "parsers" })];
    expect(assignedByScope(tasks, adapters)).toEqual({ t0: "of-a", t1: "of-domain", t2: "of-project" });
  });

  it("may assign a control: nothing else ever chooses one", () => {
    const { tasks } = setOf([{ project: "parsers" }]);
    const noise = adapterOf("noise", { project: "parsers" });
    expect(assignedByScope(tasks, [{ ...noise, spec: { ...noise.spec, control: true } }])).toEqual({ t0: "noise" });
  });
});

describe("a shuffled assignment", () => {
  const assignment = fc
    .uniqueArray(fc.constantFrom(..."abcdefgh"), { minLength: 2 })
    .chain((names) =>
      fc
        .array(fc.constantFrom(...names), { minLength: 2, maxLength: 30 })
        .map((chosen) => Object.fromEntries(chosen.map((name, n) => [`t${n}`, name]))),
    );

  it("gives no task its own, keeps together what was together, and uses the same adapters", () => {
    fc.assert(
      fc.property(assignment, fc.nat(), (assigned, seed) => {
        const wrong = shuffledAssignment(assigned, seed);
        const distinct = new Set(Object.values(assigned));
        if (distinct.size < 2) return wrong === null;
        if (!wrong) return false;
        const byOwn = Map.groupBy(Object.entries(assigned), ([, name]) => name);
        return (
          Object.entries(wrong).every(([id, name]) => name !== assigned[id]) &&
          [...byOwn.values()].every((alike) => new Set(alike.map(([id]) => wrong[id])).size === 1) &&
          new Set(Object.values(wrong)).size === distinct.size &&
          Object.keys(wrong).length === Object.keys(assigned).length
        );
      }),
    );
  });

  it("is the same for the same seed", () => {
    const assigned = { t0: "a", t1: "b", t2: "c", t3: "d", t4: "e" };
    expect(shuffledAssignment(assigned, 3)).toEqual(shuffledAssignment(assigned, 3));
    const all = new Set(Array.from({ length: 20 }, (_, seed) => JSON.stringify(shuffledAssignment(assigned, seed))));
    expect(all.size).toBeGreaterThan(5);
  });
});
