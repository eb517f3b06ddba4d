import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { BaseModel } from "@rune/crds/fields/base-model";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { apiVersion } from "@rune/crds/words/group";
import { evaluationManifest, serverManifest } from "../00-quickstart/manifests.ts";
import type { Options } from "../00-quickstart/options.ts";
import type { Manifest } from "../shared/manifests.ts";

/** What is compared, by arm: a server and an adapter of each. */
export type Arms = Record<"bf16" | "nf4", { server: string; adapter: string }>;

/** Relative loss of Pass@1 that is acceptable (QLoRA, arXiv 2305.14314, finds less). */
const maxRelativeDropPercent = 10;
export const quantized = { server: "coder-nf4", run: "tessera-nf4" } as const;
export const evaluationName = "nf4-against-bf16";

/** The quickstart's server again, with weights in four bits. Only engines on GPUs serve such a base. */
export function quantizedServerManifest(namespace: string, base: BaseModel): Manifest {
  const { spec, ...manifest } = serverManifest(namespace, base);
  return {
    ...manifest,
    metadata: { name: quantized.server, namespace },
    spec: { ...spec, pipelineParallelSize: 1, quantization: "NF4", resources: { gpus: 1 } },
  };
}

/** A training again exactly as it was, except that the frozen base is in four bits: QLoRA. */
export function quantizedTrainingManifest(namespace: string, spec: TrainingRun["spec"]): Manifest {
  const metadata = { name: quantized.run, namespace };
  return { apiVersion, kind: "TrainingRun", metadata, spec: { ...spec, sft: { ...spec.sft, quantization: "NF4" } } };
}

/** The quickstart's held-out tasks, answered in both ways. */
export function comparisonManifest(options: Options, taskSet: ArtifactReference, { bf16, nf4 }: Arms): Manifest {
  const { spec, ...manifest } = evaluationManifest(options.namespace, taskSet, bf16.adapter, options) as Manifest & {
    spec: { gate: { minimumTasks: number } };
  };
  const arm = (name: keyof Arms, { server, adapter }: Arms["nf4"]) => ({ name, serverRef: { name: server }, adapter });
  return {
    ...manifest,
    metadata: { name: evaluationName, namespace: options.namespace },
    spec: {
      ...spec,
      arms: [arm("bf16", bf16), arm("nf4", nf4)],
      gate: { candidate: "nf4", baseline: "bf16", maxRelativeDropPercent, minimumTasks: spec.gate.minimumTasks },
    },
  };
}
