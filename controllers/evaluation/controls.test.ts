import { expect, it } from "vitest";
import { anEvaluation } from "../testing/builders.ts";
import { adapterOf } from "../testing/evaluation-world.ts";
import { controlOfArm } from "./controls.ts";
import type { Arm } from "./world.ts";

const serverRef = { name: "coder" };
const adapters = new Map(
  [
    adapterOf("right", { project: "tessera" }),
    adapterOf("sibling", { project: "tessera" }),
    adapterOf("foreign", { project: "other" }),
  ].map((adapter) => [adapter.metadata.name, adapter]),
);
const arms: Arm[] = ["right", "sibling", "foreign"].map((adapter) => ({ name: adapter, serverRef, adapter }));
const evaluationOf = (baseline: string) => anEvaluation({ spec: { arms, gate: { candidate: "right", baseline } } });

it.each<[string, string, string | undefined]>([
  ["foreign", "sibling", "WrongTrajectory"],
  ["sibling", "foreign", undefined],
  ["foreign", "foreign", undefined],
  ["right", "sibling", undefined],
])("an arm of the %s adapter, against a baseline of the %s one, is this control: %s", (name, baseline, control) => {
  const arm = arms.find((each) => each.name === name)!;
  expect(controlOfArm(arm, evaluationOf(baseline), adapters, new Map())).toBe(control);
});
