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
  name: z.enum(checkNames).describe("Which check."),
  result: z
    .enum(checkResults)
    .describe(
      "Unknown: nothing could be found out, such as by the deadline, or without a free GPU. NotApplicable: there is nothing to check.",
    ),
  message: text(1024).describe("What was found, in a sentence, with what to do where it isn't a Pass."),
});
export type CheckResult = z.infer<typeof checkResult>;

const spec = z.object({
  base: baseModel,
  device: z
    .enum(["Auto", "CPU", "GPU"])
    .default("Auto")
    .describe(
      "Auto: nodes that offer GPUs, and all nodes, failing the check GPU, where none does. GPU: every node must offer some. CPU: none is expected, and the check GPU is NotApplicable.",
    ),
  checks: z
    .array(z.enum(["GPU", "Torch", "QLoRA", "Serving", "Adapter"]))
    .min(1)
    .max(5)
    .default(["GPU", "Torch", "QLoRA", "Serving", "Adapter"])
    .describe("What is checked. Adapter needs QLoRA and Serving."),
  quantization: z.enum(["NF4", "None"]).default("NF4").describe("Quantization of the base in the check QLoRA; NF4 works on CPUs as well."),
  server: z
    .object({
      serverRef: z
        .object({ name: serverName().describe("Name of the ModelServer.") })
        .optional()
        .describe("An existing ModelServer of the same base. Where every GPU is its own, no node's Job gets one: use a template there."),
      template: z
        .object(serving.shape)
        .optional()
        .describe("How the check's own ModelServer serves the base. It is created once the nodes are done, and deleted afterwards."),
    })
    .default({})
    .describe(
      "The ModelServer of the checks Serving and Adapter: serverRef, or a template for one of its own; its own as it comes when neither is set.",
    ),
  knownGood: z
    .object({
      adapter: objectName(52).describe("Adapter of the same base whose artifact holds its fingerprint, as every trained one does."),
    })
    .optional()
    .describe("A regression: an adapter that was made earlier must answer on this server as its recorded fingerprint says."),
  image: text(500).optional().describe("Trainer image; the installation's image when unset."),
  resources: resources.default({}).describe("Compute resources of each node's Job. Without gpus it asks for all that the node offers."),
  ...scheduling,
  nodeSelector: labels()
    .optional()
    .describe("Labels of the nodes that are checked; all nodes when unset. Tainted ones only where tolerated."),
  deadlineSeconds: whole(60, 86400).default(1800).describe("Longest time from start to end; what isn't known by then is Unknown."),
  requires,
  ...lifecycle,
});

const node = z.object({
  name: text(253).describe("Name of the node."),
  device: z.enum(["CPU", "GPU"]).describe("What its Job computes on."),
  gpus: whole(0, 64).describe("GPUs that its Job asks for."),
  checks: z.array(checkResult).max(3).meta(byKey("name")).optional().describe("What its Job found; unset while it is at work."),
  versions: z
    .record(text(40), text(100))
    .meta({ maxProperties: 16 })
    .optional()
    .describe("Versions of what it found there, such as `driver`."),
});
export type NodeStatus = z.infer<typeof node>;

const status = z.object({
  ...statusBase,
  startTime: time().optional().describe("When the work began."),
  nonce: text(63)
    .optional()
    .describe("The word that the check QLoRA teaches: random, made for this check alone, so that no model knows it."),
  nodes: z.array(node).max(mostNodes).meta(byKey("name")).optional().describe("Nodes that are checked, frozen at the start."),
  omittedNodes: whole(0, 100000).optional().describe("Nodes that match beyond the first thirty-two; they are not checked."),
  adapter: z
    .object({
      name: objectName(52).describe("Name of the Adapter, which is deleted when the check ends."),
      ...artifactReference.shape,
      sizeBytes: whole(1, Number.MAX_SAFE_INTEGER).describe("Size of all layers in bytes."),
      rank: whole(1, 512).describe("LoRA rank."),
      alpha: whole(1, 4096).describe("LoRA alpha."),
      targetModules: targetModules,
      base: z
        .object({ name: text(longestBaseName).min(1).describe("Name, for people."), digest: digest().describe("Identity of its files.") })
        .describe("The base model that it was made for."),
    })
    .optional()
    .describe("The adapter of the first node's check QLoRA; frozen here before any Adapter is created."),
  claim: z
    .object({
      server: serverName().describe("ModelServer that should hold it."),
      adapter: objectName(52).describe("Adapter that is claimed."),
    })
    .optional()
    .describe("Adapter that is claimed now; one at a time, so that a check never takes more than one slot."),
  checks: z.array(checkResult).max(checkNames.length).meta(byKey("name")).optional().describe("Each check over all nodes."),
  versions: z
    .record(text(40), text(100))
    .meta({ maxProperties: 16 })
    .optional()
    .describe("Versions of what is installed on the nodes; several where they differ."),
});

export const environmentCheck = defineKind({
  kind: "EnvironmentCheck",
  plural: "environmentchecks",
  singular: "environmentcheck",
  shortNames: ["rec"],
  description:
    "Whether learning and serving work here at all: GPUs, arithmetic, QLoRA, the server, and an adapter that makes it say what nobody could know.",
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
