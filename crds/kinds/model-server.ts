import { z } from "zod";
import { baseModel } from "../fields/base-model.ts";
import { statusBase } from "../fields/condition.ts";
import { byKey, digest, labels, text, time, whole } from "../fields/field.ts";
import { requires } from "../fields/requires.ts";
import { resources, scheduling } from "../fields/scheduling.ts";
import { operatorsArgument } from "../words/engine-arguments.ts";
import { columns, defineKind, type ObjectOf } from "./kind.ts";

const adapterState = z.object({
  name: text(63).describe("Name of the Adapter, which is also the served model name."),
  digest: digest().describe("Manifest digest of the Adapter's artifact."),
  state: z
    .enum(["Pending", "Loaded", "Refused"])
    .describe("State of the adapter on this server: Pending (not loaded yet), Loaded by at least one engine, or Refused."),
  engines: whole(0, 10000).describe("Number of engines that have the adapter loaded."),
  reason: text(63).optional().describe("Reason why the adapter was refused or isn't loaded yet, as a CamelCase word."),
  message: text(1024).optional().describe("Human-readable explanation of why the adapter was refused or isn't loaded yet."),
  canary: z
    .enum(["Matched", "Unknown", "Mismatched"])
    .optional()
    .describe("Whether the loaded adapter answers as its fingerprint says; Unknown if another engine or precision may answer differently."),
});

const spec = z.object({
  base: baseModel,
  pipelineParallelSize: whole(1, 64).default(1).describe("Number of pipeline stages per replica, among which the layers are divided."),
  tensorParallelSize: whole(1, 64)
    .default(1)
    .describe("Number of tensor-parallel ranks per pipeline stage. Must be 1 unless `allowTensorParallelWithAdapters` is true."),
  allowTensorParallelWithAdapters: z
    .boolean()
    .default(false)
    .describe(
      "Allows tensor parallelism together with adapters, which vLLM users reported to corrupt answers on PCIe (vllm-project/vllm#21471).",
    ),
  nodesPerReplica: whole(1, 64).default(1).describe("Number of nodes per replica. More than one needs the LeaderWorkerSet API."),
  quantization: z.enum(["None", "NF4"]).default("None").describe("Quantization of the base model's weights."),
  maxModelLength: whole(256, 1048576).default(4096).describe("Maximum length of a sequence, prompt and answer together, in tokens."),
  maxSequences: whole(1, 4096).default(16).describe("Maximum number of sequences that each replica decodes concurrently."),
  replicas: whole(0, 1000).default(1).describe("Number of independent replicas."),
  adapters: z
    .object({
      slots: whole(1, 64).default(4).describe("Number of adapters that each engine can have loaded at once."),
      maxRank: z
        .literal([8, 16, 32, 64, 128, 256, 320, 512])
        .default(16)
        .describe("Largest LoRA rank that is accepted. Memory use grows with it, so keep it at the rank in use."),
      resident: z
        .object({ matchLabels: labels().optional().describe("Labels that the Adapters must have; all Adapters match when unset.") })
        .optional()
        .describe("Selection of Adapters that stay loaded. Others are loaded when a session, evaluation or client needs them."),
    })
    .default({ slots: 4, maxRank: 16 })
    .describe("Settings for LoRA adapters."),
  engine: z
    .object({
      image: text(500).optional().describe("vLLM image; the installation's image when unset."),
      extraArguments: z
        .array(text(500))
        .max(64)
        .optional()
        .describe(
          "Additional arguments of `vllm serve`. Those that the operator sets, such as for LoRA, parallelism, host and port, are refused.",
        ),
      environment: z
        .array(z.object({ name: text(100).min(1).describe("Name of the variable."), value: text(1000).describe("Value of the variable.") }))
        .max(64)
        .meta(byKey("name"))
        .optional()
        .describe("Additional environment variables of the engine."),
    })
    .default({})
    .describe("Settings of the vLLM engine."),
  resources: resources.default({}),
  ...scheduling,
  requires,
});

/** The fields of a server that another kind's spec may set for a dedicated server. */
export const serving = spec.pick({
  pipelineParallelSize: true,
  tensorParallelSize: true,
  allowTensorParallelWithAdapters: true,
  quantization: true,
  maxModelLength: true,
  maxSequences: true,
  adapters: true,
  resources: true,
});

/** Tensor parallelism with adapters needs a second field as confirmation, wherever a server is described. */
export const tensorParallel = {
  rule: (server: string) => `(${server}.tensorParallelSize == 1 || ${server}.allowTensorParallelWithAdapters)`,
  message:
    "above 1 together with adapters was reported to corrupt answers (vllm-project/vllm#21471); use pipelineParallelSize, or set allowTensorParallelWithAdapters to accept that",
};

/** Number of adapters, and of engines, that a status lists. */
export const mostListed = 256;

const status = z.object({
  ...statusBase,
  baseDigest: digest().optional().describe("Digest over the base model's files."),
  replicas: whole(0, 1000).optional().describe("Number of replicas that exist."),
  readyReplicas: whole(0, 1000).optional().describe("Number of replicas that answered a real completion request."),
  selector: text(253).optional().describe("Label selector of the pods, for the scale subresource."),
  url: text(300).optional().describe("Base URL of the OpenAI-compatible API."),
  loadedAdapters: whole(0, 10000).optional().describe("Number of adapters that at least one engine has loaded."),
  adapters: z
    .array(adapterState)
    .max(mostListed)
    .meta(byKey("name"))
    .optional()
    .describe("Adapters that are wanted or still loaded on this server, with their state."),
  engines: z
    .array(
      z.object({
        pod: text(253).describe("Name of the engine's pod."),
        podUID: text(64).describe("UID of the engine's pod."),
        bootID: text(128).describe("Identifier of the engine's process, which changes with every restart."),
        ready: z.boolean().describe("Whether the engine recently answered a real completion request."),
        since: time().optional().describe("Time at which the engine's current process was first seen."),
      }),
    )
    .max(mostListed)
    .meta(byKey("pod"))
    .optional()
    .describe("Engines of the server with their current processes."),
});

export const modelServer = defineKind({
  kind: "ModelServer",
  plural: "modelservers",
  singular: "modelserver",
  shortNames: ["rms"],
  description: "A base model served by vLLM, with pipeline parallelism, and with LoRA adapters loaded, verified and unloaded at run time.",
  nameMaxLength: 40,
  spec,
  status,
  mutable: [
    "replicas",
    "adapters",
    "engine",
    "resources",
    "nodeSelector",
    "tolerations",
    "priorityClassName",
    "maxSequences",
    "allowTensorParallelWithAdapters",
    "requires",
  ],
  frozenBecause: "what a ModelServer serves is relied on by adapters and evaluations; create a new object instead",
  rules: [
    {
      rule: "self.metadata.name.matches('^[a-z]')",
      field: ".metadata.name",
      message: "metadata.name of a ModelServer must begin with a letter, because its Service has the same name",
    },
    {
      rule: "[has(self.spec.base.huggingFace), has(self.spec.base.oci), has(self.spec.base.pvc)].filter(x, x).size() == 1",
      field: ".spec.base",
      message: "spec.base needs exactly one of huggingFace, oci and pvc",
    },
    {
      rule: "self.spec.pipelineParallelSize * self.spec.tensorParallelSize % self.spec.nodesPerReplica == 0",
      field: ".spec.nodesPerReplica",
      message: "spec.nodesPerReplica must divide pipelineParallelSize times tensorParallelSize, so that every node holds as many ranks",
    },
    {
      rule: `!has(self.spec.engine.extraArguments) || self.spec.engine.extraArguments.all(a, !a.matches('${operatorsArgument}'))`,
      field: ".spec.engine.extraArguments",
      message:
        "spec.engine.extraArguments may not set what the operator sets: model, names, LoRA, parallelism, host and port; use the fields of spec",
    },
    {
      rule: tensorParallel.rule("self.spec"),
      field: ".spec.tensorParallelSize",
      message: `spec.tensorParallelSize ${tensorParallel.message}`,
    },
  ],
  columns: columns(
    { name: "Stages", type: "integer", jsonPath: ".spec.pipelineParallelSize", description: "Number of pipeline stages per replica." },
    { name: "Replicas", type: "integer", jsonPath: ".status.readyReplicas", description: "Number of replicas that answer." },
    { name: "Adapters", type: "integer", jsonPath: ".status.loadedAdapters", description: "Number of adapters that are loaded." },
    { name: "URL", type: "string", jsonPath: ".status.url", description: "Base URL of the OpenAI-compatible API.", priority: 1 },
  ),
  scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas", labelSelectorPath: ".status.selector" },
});
export type ModelServer = ObjectOf<typeof modelServer>;
