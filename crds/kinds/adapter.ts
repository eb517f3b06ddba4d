import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { longestBaseName } from "../fields/base-model.ts";
import { statusBase } from "../fields/condition.ts";
import { byKey, digest, objectName, text, time, whole } from "../fields/field.ts";
import { interval, measuredTasks } from "../fields/measurement.ts";
import { scope } from "../fields/scope.ts";
import { columns, defineKind, type ObjectOf } from "./kind.ts";

export const targetModules = z
  .array(
    z
      .string()
      .max(63)
      .regex(/^[a-z0-9_]+$/),
  )
  .min(1)
  .max(32)
  .describe("Names of the linear layers that have LoRA weights, such as `q_proj`.");

const spec = z.object({
  base: z
    .object({
      name: text(longestBaseName).min(1).describe("Human-readable name of the base model."),
      digest: digest().describe("Digest over the base model's files. The adapter is only loaded onto a base with this digest."),
    })
    .describe("The base model that the adapter was made for."),
  artifact: z
    .object({
      ...artifactReference.shape,
      sizeBytes: whole(1, Number.MAX_SAFE_INTEGER).describe("Total size of the artifact's layers, in bytes."),
    })
    .describe("OCI artifact that holds the weights. `metadata.name` ends with the first 16 hex digits of its digest."),
  rank: whole(1, 512).describe("LoRA rank, uniform over all layers."),
  alpha: whole(1, 4096).describe("LoRA alpha, uniform over all layers."),
  targetModules,
  scope,
  source: z
    .object({
      kind: z
        .enum(["TrainingRun", "EnvironmentCheck", "Import"])
        .describe("Kind of the object that made the adapter, or Import for one that was brought in by hand."),
      name: objectName().optional().describe("Name of the object that made the adapter."),
      uid: text(64).optional().describe("UID of the object that made the adapter."),
    })
    .describe("Origin of the adapter."),
  parents: z
    .array(
      z.object({
        name: objectName().describe("Name of the parent Adapter."),
        digest: digest().describe("Manifest digest of the parent's artifact."),
      }),
    )
    .max(16)
    .meta(byKey("name"))
    .optional()
    .describe("Adapters that this adapter was merged or continued from."),
  control: z
    .literal(true)
    .optional()
    .describe(
      "True for a control adapter, which holds no knowledge and is only compared with in evaluations. It is never chosen automatically and never promoted.",
    ),
  generation: whole(0, 1000000)
    .default(0)
    .describe("Generation of the adapter: 0 if it was trained directly, otherwise one more than the largest generation of its parents."),
});

/** Measurements in an Adapter's status, one per task set. */
export const mostEvidence = 16;

const measurement = z.object({
  passAt1: interval.describe("Pass@1 (share of programs that pass, from 0 to 1), with its confidence interval over tasks."),
  base: interval.optional().describe("Pass@1 of the base model on the same tasks; unset if the evaluation didn't measure it."),
  evaluation: objectName().describe("Name of the Evaluation that made the measurement."),
  evaluationUID: text(64).describe("UID of the Evaluation that made the measurement."),
  time: time().describe("Time at which the evaluation ended."),
  stored: z
    .literal(true)
    .optional()
    .describe("True once the registry stores the measurement as evidence. From then on it counts only as long as that evidence exists."),
});

/** Requests by annotation: of each the first 16 hex digits of a SHA-256 over the namespace and the annotation's value. */
const words = z.object({
  archive: text(16).optional().describe("Hash of the value of the annotation `rune.dev/archive`."),
  restore: text(16).optional().describe("Hash of the value of the annotation `rune.dev/restore`."),
});

const status = z.object({
  ...statusBase,
  tier: z
    .enum(["Task", "Domain", "ProjectRoot"])
    .optional()
    .describe("Widest tier that the adapter was promoted to; Task if it never was."),
  archived: z
    .boolean()
    .optional()
    .describe(
      "Whether the adapter is archived. It is then no longer chosen automatically or kept resident, but objects that name it can still use it.",
    ),
  champion: scope
    .optional()
    .describe("Scope that the adapter is the champion of; unset if it is none. Sessions prefer champions to other adapters."),
  gate: z
    .object({
      verdict: z.enum(["Passed", "Failed", "Inconclusive"]).describe("Verdict of the gate."),
      evaluation: objectName().describe("Name of the Evaluation that has the gate."),
      time: time().describe("Time at which the evaluation ended."),
    })
    .optional()
    .describe(
      "Newest evaluation gate that the adapter was the candidate of. Sessions don't automatically choose an adapter that failed it.",
    ),
  evidenceDigest: digest().optional().describe("Digest of the list of evidence in the registry that this status was computed from."),
  evidenceTime: time().optional().describe("Time at which the evidence in the registry was last read."),
  heard: words
    .optional()
    .describe("Requests to archive or restore that were carried out and stored as evidence, as hashes of the annotations' values."),
  unheard: words
    .optional()
    .describe(
      "Conflicting requests to archive and to restore, which were made together and not carried out, as hashes of the annotations' values.",
    ),
  fitness: measurement
    .extend({ taskSet: measuredTasks.optional().describe("Tasks that the adapter was measured on; unset in old measurements.") })
    .optional()
    .describe("Newest measurement of the adapter, on any tasks."),
  evidence: z
    .array(measurement.extend({ taskSet: measuredTasks.describe("Tasks that the adapter was measured on.") }))
    .max(mostEvidence)
    .optional()
    .describe("Newest measurement on each task set of the adapter's project, newest first. Sessions choose among adapters by these."),
  verified: z
    .object({
      time: time().describe("Time at which the artifact was last verified."),
      files: whole(0, 1000).describe(
        "Number of files of the artifact, all of which are in the registry. Their content is hashed before every load.",
      ),
    })
    .optional()
    .describe("Last verification of the artifact in the registry."),
  holders: z
    .object({
      engines: whole(0, 100000).describe("Number of engines that have the adapter loaded."),
      servers: z
        .array(objectName())
        .max(50)
        .describe("Names of the ModelServers that have the adapter loaded; the first 50 if there are more."),
    })
    .optional()
    .describe("Engines and servers that have the adapter loaded."),
});

export const adapter = defineKind({
  kind: "Adapter",
  plural: "adapters",
  singular: "adapter",
  shortNames: ["rad"],
  description:
    "A LoRA adapter, whose weights are an OCI artifact in the registry. Its spec is immutable, and its name ends with the beginning of the artifact's digest.",
  nameMaxLength: 52,
  spec,
  status,
  mutable: [],
  frozenBecause: "an Adapter is written once; create a new object instead",
  rules: [
    {
      rule: "self.metadata.name.endsWith('-' + self.spec.artifact.digest.substring(7, 23))",
      field: ".metadata.name",
      message:
        "metadata.name must end in '-' and the first 16 hex digits of spec.artifact.digest; generateName can't do that, so give the whole name",
    },
  ],
  columns: columns(
    { name: "Rank", type: "integer", jsonPath: ".spec.rank", description: "LoRA rank." },
    { name: "Tier", type: "string", jsonPath: ".status.tier", description: "Widest tier that the adapter was promoted to." },
    { name: "Pass@1", type: "string", jsonPath: ".status.fitness.passAt1.estimate", description: "Newest measured Pass@1." },
    {
      name: "Tasks",
      type: "string",
      jsonPath: ".status.fitness.taskSet.digest",
      description: "Manifest digest of the task set of the newest measurement.",
      priority: 1,
    },
    {
      name: "Engines",
      type: "integer",
      jsonPath: ".status.holders.engines",
      description: "Number of engines that have the adapter loaded.",
    },
    {
      name: "Source",
      type: "string",
      jsonPath: ".spec.source.name",
      description: "Name of the object that made the adapter.",
      priority: 1,
    },
    { name: "Control", type: "boolean", jsonPath: ".spec.control", description: "Whether it is a control adapter.", priority: 1 },
  ),
});
export type Adapter = ObjectOf<typeof adapter>;
