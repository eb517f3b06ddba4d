import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { describe, expect, it } from "vitest";
import { aCondition, anEvaluation } from "../testing/builders.ts";
import { aPlan, reference } from "../testing/evaluation-world.ts";
import { forecast } from "./forecast.ts";
import type { Plan } from "./plan.ts";

const gate = { candidate: "adapter", baseline: "base" };
const of = (spec: object, plan: Plan, earlier: Evaluation[] = []) =>
  new Map(forecast(anEvaluation({ spec }), plan, earlier).map((condition) => [condition.type, condition]));
const on = (clusters: number, arms = aPlan().arms) => aPlan({ taskSet: { ...reference, tasks: clusters, clusters }, arms });

describe("before it runs, an evaluation says", () => {
  it.each([
    ["fewer clusters than the gate asks for", 30, 29, true],
    ["fewer than any gate takes", 1, 9, true],
    ["enough", 30, 30, false],
  ])("whether a verdict can come of %s", (_, minimumTasks, clusters, said) => {
    const condition = of({ gate: { ...gate, minimumTasks } }, on(clusters)).get("GatePassed");
    expect(condition?.reason).toBe(said ? "TooFewTasks" : undefined);
    if (said) expect(condition?.message).toContain("more clusters");
  });

  const shown = (spec: object, clusters: number, earlier: Evaluation[] = []) => {
    const condition = of({ gate, ...spec }, on(clusters), earlier).get("PowerKnown");
    return { ...condition, points: Number(/from ([\d.]+) points/.exec(condition?.message ?? "")?.[1]) };
  };

  it("the smallest gain that it can show: less with more tasks, more with a stricter gate or more looks", () => {
    const { points, status } = shown({}, 40);
    expect(status).toBe("True");
    expect(shown({}, 400).points).toBeLessThan(points / 2);
    expect(shown({ samples: 50 }, 40).points).toBeLessThan(points);
    expect(shown({ gate: { ...gate, confidence: "0.99" } }, 40).points).toBeGreaterThan(points);
    expect(shown({ looks: 3 }, 40).points).toBeGreaterThanOrEqual(points);
  });

  it("that one task can't show any", () => {
    expect(shown({}, 1)).toMatchObject({ status: "False", reason: "TooFewTasks" });
  });

  const earlier = (over: { spec?: object; status?: object } = {}) =>
    anEvaluation({
      spec: { gate, arms: ["base", "adapter"].map((name) => ({ name, serverRef: { name: "coder" } })), ...over.spec },
      status: {
        conditions: [aCondition("Succeeded")],
        taskSet: { ...reference, tasks: 40 },
        delta: { estimate: "0", lower: "-2", upper: "2" },
        ...over.status,
      },
    });

  it("what equal arms varied by on the very same tasks, where that was measured", () => {
    const { points, message } = shown({}, 40, [earlier()]);
    expect(points).toBeLessThan(shown({}, 40).points);
    expect(message).toContain("held-out saw equal arms vary");
  });

  it.each([
    ["on other tasks", { status: { taskSet: { ...reference, tasks: 39, seed: 1 } } }],
    ["of unequal arms", { spec: { arms: anEvaluation().spec.arms } }],
    ["with other samples", { spec: { samples: 7 } }],
    ["that failed", { status: { conditions: [aCondition("Failed")] } }],
  ])("nothing by an evaluation %s", (_, over) => {
    expect(shown({}, 40, [earlier({ ...over, ...("spec" in over && { spec: { gate, ...over.spec } }) })]).points).toBe(
      shown({}, 40).points,
    );
  });
});

describe("a gate on generated adapters", () => {
  const [base, adapter] = aPlan().arms as [Plan["arms"][number], Plan["arms"][number]];
  const generated = { ...adapter, generated: true };
  const control = (kind: "WrongTrajectory" | "Mean" | "Random" | "Zero") => ({ ...base, name: kind.toLowerCase(), control: kind });
  const said = (arms: Plan["arms"], mode = "Full") => of({ gate: { ...gate, mode } }, on(40, arms)).get("ControlsMissing");

  it("wants two control arms, and names those that are missing", () => {
    expect(said([base, generated])).toMatchObject({
      status: "True",
      reason: "ControlsMissing",
      message: expect.stringContaining("two more arms"),
    });
    expect(said([base, generated, control("Mean")])?.message).toMatch(/one more arm .*assign: Shuffled/);
    expect(said([base, generated, control("WrongTrajectory"), control("Zero")])?.message).toMatch(/one more arm .*mean/);
    expect(said([base, generated, control("WrongTrajectory"), control("Random")])).toMatchObject({
      status: "False",
      reason: "ControlsPresent",
    });
  });

  it("is asked for nothing where the adapters were trained, or a first look is wanted", () => {
    expect(said([base, adapter])).toBeUndefined();
    expect(said([base, generated], "Smoke")).toBeUndefined();
  });
});
