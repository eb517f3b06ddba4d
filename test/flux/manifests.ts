import { stringify } from "yaml";
import type { Manifest } from "../../examples/shared/manifests.ts";

/** The names that examples/plan/flux gives. */
export const fluxNamespace = "flux-system";
export const sourceName = "rune";
export const kustomizationNames = [
  "plan-0-environment",
  "plan-1-hypothesis",
  "plan-2-library",
  "plan-3-agents",
  "plan-4-evolution",
] as const;

const impossible = [{ op: "replace", path: "/spec/gate/thresholdPoints", value: 99 }];

/**
 * The manifests of examples/plan/flux with a gate of Phase 1 that nothing passes, as `npm run example -- plan
 * --fail-gate 1` has it: Flux itself patches the gate, so that the repository is the same.
 */
export function withFailingGate(manifests: readonly Manifest[]): Manifest[] {
  const patches = [{ target: { kind: "Evaluation", name: "hypothesis" }, patch: stringify(impossible) }];
  return manifests.map((manifest) =>
    manifest.metadata.name === "plan-1-hypothesis" ? { ...manifest, spec: { ...manifest.spec, patches } } : manifest,
  );
}
