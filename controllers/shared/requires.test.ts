import { describe, expect, it } from "vitest";
import { agentSession, condition, evaluation } from "../testing/objects.ts";
import { requirementsMet } from "./requires.ts";

const gate = (conditions?: ReturnType<typeof condition>[]) => ({
  requirements: [
    { kind: "Evaluation", name: "gate", condition: "GatePassed", object: conditions && evaluation("gate", { status: { conditions } }) },
  ],
});

describe("spec.requires", () => {
  it("is met when every condition is True, and when there is none", () => {
    expect(requirementsMet({ requirements: [] })).toBeNull();
    expect(requirementsMet(gate([condition("GatePassed")]))).toBeNull();
  });

  it("waits for what doesn't exist, has no such condition or is False for now, and names it", () => {
    expect(requirementsMet(gate())).toMatchObject({
      reason: "RequirementNotMet",
      message: expect.stringContaining("Evaluation gate doesn't exist"),
      retrySeconds: 300,
    });
    expect(requirementsMet(gate([]))).toMatchObject({
      reason: "RequirementNotMet",
      message: expect.stringContaining("no condition GatePassed"),
    });
    expect(requirementsMet(gate([condition("GatePassed", "False")]))).toMatchObject({ reason: "RequirementNotMet" });
  });

  it("fails permanently when what is required has ended without it", () => {
    const blocker = requirementsMet(gate([condition("Succeeded"), condition("GatePassed", "False")]));
    expect(blocker).toMatchObject({ reason: "RequirementFailed" });
    expect(blocker?.retrySeconds).toBeUndefined();
    expect(requirementsMet(gate([condition("Failed")]))).toMatchObject({ reason: "RequirementFailed" });
  });

  it("waits for what comes of learning from a session that has ended, and no longer than that", () => {
    const learnt = (status: "Unknown" | "False" | "True") => {
      const conditions = [condition("Succeeded"), { ...condition("Learnt"), status }];
      const object = agentSession("widest", { status: { conditions } });
      return requirementsMet({ requirements: [{ kind: "AgentSession", name: "widest", condition: "Learnt", object }] });
    };
    expect(learnt("Unknown")).toMatchObject({ reason: "RequirementNotMet" });
    expect(learnt("False")).toMatchObject({ reason: "RequirementFailed" });
    expect(learnt("True")).toBeNull();
  });
});
