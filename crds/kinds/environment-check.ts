import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { baseModel, longestBaseName } from "../fields/base-model.ts";
import { statusBase } from "../fields/condition.ts";
import { byKey, digest, labels, objectName, serverName, text, time, whole } from "../fields/field.ts";
import { lifecycle } from "../fields/lifecycle.ts";
import { requires } from "../fields/requires.ts";
import { resources, scheduling } from "../fields/scheduling.ts";
import { ConditionType } from "../words/conditions.ts";
import { targetModules } from "./adapter.ts";
import { columns, conditionPath, defineKind, type ObjectOf } from "./kind.ts";
import { serving, tensorParallel } from "./model-server.ts";

/** Checks of a node's Job, in order. */
export const nodeChecks = ["GPU", "Torch", "QLoRA"] as const;
/** All checks, in the order in which they run. */
export const checkNames = [...nodeChecks, "Serving", "Adapter", "KnownGood"] as const;
export type NodeCheck = (typeof nodeChecks)[number];
export type CheckName = (typeof checkNames)[number];

export const checkResults = ["Pass", "Fail", "Unknown", "NotApplicable"] as const;

/** Nodes per check: each has an entry in its status. */
export const mostNodes = 32;

export const checkResult = z.object({
  name: z.enum(checkNames).describe("Name of the check."),
  result: z
    .enum(checkResults)
    .describe(
      "Result of the check. Unknown: it could not be determined, such as by the deadline or without a free GPU. NotApplicable: there is nothing to check.",
    ),
  message: text(1024).describe("Human-readable finding, with what to do if the check didn't pass."),
});
export type CheckResult = z.infer<typeof checkResult>;

const spec = z.object({
  base: baseModel,
  device: z
    .enum(["Auto", "CPU", "GPU"])
    .default("Auto")
    .describe(
      "Expected device of the nodes. Auto checks the nodes that offer GPUs; if none does, it checks all and fails the check GPU. GPU requires GPUs on every node. CPU expects none, and makes the check GPU NotApplicable.",
    ),
  checks: z
    .array(z.enum(["GPU", "Torch", "QLoRA", "Serving", "Adapter"]))
    .min(1)
    .max(5)
    .default(["GPU", "Torch", "QLoRA", "Serving", "Adapter"])
    .describe("Checks to run. Adapter requires QLoRA and Serving."),
  quantization: z
    .enum(["NF4", "None"])
    .default("NF4")
    .describe("Quantization of the base model in the check QLoRA; NF4 also works on CPUs."),
  server: z
    .object({
      serverRef: z
        .object({ name: serverName().describe("Name of the ModelServer.") })
        .optional()
        .describe(
          "Existing ModelServer with the same base model. If it occupies every GPU, the node checks get none; set `template` instead.",
        ),
      template: z
        .object(serving.shape)
        .optional()
        .describe("Settings of a temporary ModelServer, which is created after the node checks and deleted at the end."),
    })
    .default({})
    .describe(
      "ModelServer of the checks Serving and Adapter: `serverRef` or `template`; when both are unset, a temporary one with the default settings.",
    ),
  knownGood: z
    .object({
      adapter: objectName(52).describe(
        "Name of an Adapter of the same base model whose artifact holds a fingerprint, as that of every trained adapter does.",
      ),
    })
    .optional()
    .describe("Regression check: an existing adapter must answer on this server as its recorded fingerprint says."),
  image: text(500).optional().describe("Trainer image; the installation's image when unset."),
  resources: resources
    .default({})
    .describe("Compute resources of each node's Job, which requests all GPUs of the node when `gpus` is unset."),
  ...scheduling,
  nodeSelector: labels()
    .optional()
    .describe("Labels of the nodes to check; all nodes when unset. Tainted nodes are checked only if `tolerations` allow it."),
  deadlineSeconds: whole(60, 86400)
    .default(1800)
    .describe("Maximum duration from start to end in seconds; checks without a result by then are Unknown."),
  requires,
  ...lifecycle,
});

const node = z.object({
  name: text(253).describe("Name of the node."),
  device: z.enum(["CPU", "GPU"]).describe("Device that the node's Job computes on."),
  gpus: whole(0, 64).describe("Number of GPUs that the node's Job requests."),
  checks: z.array(checkResult).max(3).meta(byKey("name")).optional().describe("Results of the node's Job; unset until it has ended."),
  versions: z
    .record(text(40), text(100))
    .meta({ maxProperties: 16 })
    .optional()
    .describe("Versions found on the node, by component, such as `driver`."),
});
export type NodeStatus = z.infer<typeof node>;

const status = z.object({
  ...statusBase,
  startTime: time().optional().describe("Time at which the work began."),
  nonce: text(63)
    .optional()
    .describe("Word that the check QLoRA teaches the base model. It is random and made for this check, so that no model knows it already."),
  nodes: z.array(node).max(mostNodes).meta(byKey("name")).optional().describe("Nodes that are checked, fixed at the start."),
  omittedNodes: whole(0, 100000).optional().describe("Number of matching nodes that are not checked, because more than 32 match."),
  adapter: z
    .object({
      name: objectName(52).describe("Name of the Adapter, which is deleted when the check ends."),
      ...artifactReference.shape,
      sizeBytes: whole(1, Number.MAX_SAFE_INTEGER).describe("Total size of the artifact's layers, in bytes."),
      rank: whole(1, 512).describe("LoRA rank of the adapter."),
      alpha: whole(1, 4096).describe("LoRA alpha of the adapter."),
      targetModules: targetModules,
      base: z
        .object({
          name: text(longestBaseName).min(1).describe("Human-readable name of the base model."),
          digest: digest().describe("Digest over the base model's files."),
        })
        .describe("Base model that the adapter was made for."),
    })
    .optional()
    .describe("Adapter made by the check QLoRA on the first node, recorded here before the Adapter object is created."),
  claim: z
    .object({
      server: serverName().describe("Name of the ModelServer that should load the Adapter."),
      adapter: objectName(52).describe("Name of the claimed Adapter."),
    })
    .optional()
    .describe(
      "Adapter that the check currently claims on a ModelServer. It claims one at a time, so that it never takes more than one slot.",
    ),
  checks: z.array(checkResult).max(checkNames.length).meta(byKey("name")).optional().describe("Result of each check over all nodes."),
  versions: z
    .record(text(40), text(100))
    .meta({ maxProperties: 16 })
    .optional()
    .describe("Versions found on the nodes, by component; comma-separated where the nodes differ."),
});

export const environmentCheck = defineKind({
  kind: "EnvironmentCheck",
  plural: "environmentchecks",
  singular: "environmentcheck",
  shortNames: ["rec"],
  description:
    "Checks whether training and serving work in this cluster: GPUs, arithmetic, QLoRA, the model server, and an adapter that makes the server say a random word.",
  nameMaxLength: 45,
  spec,
  status,
  mutable: ["suspend", "ttlSecondsAfterFinished"],
  frozenBecause: "an EnvironmentCheck is the record of one look; create a new object instead",
  rules: [
    {
      rule: "self.metadata.name.matches('^[a-z]')",
      field: ".metadata.name",
      message: "metadata.name of an EnvironmentCheck must begin with a letter, because its ModelServer's name begins with it",
    },
    {
      rule: "[has(self.spec.base.huggingFace), has(self.spec.base.oci), has(self.spec.base.pvc)].filter(x, x).size() == 1",
      field: ".spec.base",
      message: "spec.base needs exactly one of huggingFace, oci and pvc",
    },
    {
      rule: "self.spec.checks.all(c, self.spec.checks.filter(d, d == c).size() == 1)",
      field: ".spec.checks",
      message: "spec.checks names a check twice",
    },
    {
      rule: "!('Adapter' in self.spec.checks) || ('QLoRA' in self.spec.checks && 'Serving' in self.spec.checks)",
      field: ".spec.checks",
      message: "the check Adapter needs QLoRA, which makes the adapter, and Serving",
    },
    {
      rule: "!has(self.spec.knownGood) || 'Serving' in self.spec.checks",
      field: ".spec.knownGood",
      message: "spec.knownGood needs the check Serving",
    },
    {
      rule: "!has(self.spec.server.serverRef) || !has(self.spec.server.template)",
      field: ".spec.server",
      message: "spec.server takes either serverRef or template",
    },
    {
      rule: `!has(self.spec.server.template) || ${tensorParallel.rule("self.spec.server.template")}`,
      field: ".spec.server.template.tensorParallelSize",
      message: `spec.server.template.tensorParallelSize ${tensorParallel.message}`,
    },
  ],
  columns: columns(
    {
      name: "Passed",
      type: "string",
      jsonPath: conditionPath(ConditionType.ChecksPassed, "status"),
      description: "Whether every check passed.",
    },
    ...checkNames.slice(0, 5).map((name) => ({
      name,
      type: "string" as const,
      jsonPath: `.status.checks[?(@.name=="${name}")].result`,
      description: `Result of the check ${name}.`,
    })),
  ),
});
export type EnvironmentCheck = ObjectOf<typeof environmentCheck>;
