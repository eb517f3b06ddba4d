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
  .describe("Names of the linear layers that carry a LoRA pair, such as `q_proj`.");

const spec = z.object({
  base: z
    .object({
      name: text(longestBaseName).min(1).describe("Name of the base model, for people."),
      digest: digest().describe("Identity of the base model's files; an adapter only ever runs on this base."),
    })
    .describe("The base model that the adapter was made for."),
  artifact: z
    .object({ ...artifactReference.shape, sizeBytes: whole(1, Number.MAX_SAFE_INTEGER).describe("Size of all layers in bytes.") })
    .describe("Where the weights are. The digest is also the end of the object's name, so weights can't be swapped under a name."),
  rank: whole(1, 512).describe("LoRA rank, uniform over all layers."),
  alpha: whole(1, 4096).describe("LoRA alpha, uniform over all layers."),
  targetModules,
  scope,
  source: z
    .object({
      kind: z.enum(["TrainingRun", "EnvironmentCheck", "Import"]).describe("What made the adapter."),
      name: objectName().optional().describe("Name of the object that made it."),
      uid: text(64).optional().describe("UID of the object that made it."),
    })
    .describe("What made the adapter."),
  parents: z
    .array(z.object({ name: objectName().describe("Name of the parent."), digest: digest().describe("Manifest digest of the parent.") }))
    .max(16)
    .meta(byKey("name"))
    .optional()
    .describe("Adapters that this one was merged or continued from."),
  control: z
    .literal(true)
    .optional()
    .describe("Set for an adapter that knows nothing and is there to be compared with: Auto never chooses it and nothing promotes it."),
  generation: whole(0, 1000000).default(0).describe("0 for an adapter learnt directly; one more than its parents' largest for a child."),
});

/** Measurements in an Adapter's status, one per task set. */
export const mostEvidence = 16;

const measurement = z.object({
  passAt1: interval.describe("Pass@1 with its interval over tasks."),
  base: interval.optional().describe("Pass@1 of the base on the same tasks, where the evaluation measured it."),
  evaluation: objectName().describe("Evaluation that measured it."),
  evaluationUID: text(64).describe("UID of that evaluation."),
  time: time().describe("When it ended."),
  stored: z.literal(true).optional().describe("The registry has it as evidence. It counts for as long as that is so."),
});

/** The first 16 hex digits of the SHA-256 of an annotation's value. */
const words = z.object({
  archive: text(16).optional().describe("Of the annotation `rune.dev/archive`."),
  restore: text(16).optional().describe("Of the annotation `rune.dev/restore`."),
});

const status = z.object({
  ...statusBase,
  tier: z.enum(["Task", "Domain", "ProjectRoot"]).optional().describe("How widely the adapter is trusted; promotion raises it."),
  archived: z.boolean().optional().describe("Archived adapters stay readable but are no longer picked."),
  champion: scope
    .optional()
    .describe(
      "Scope whose champion it is: promoted there, and not retired by a later one. Sessions prefer champions to others of the scope.",
    ),
  gate: z
    .object({
      verdict: z.enum(["Passed", "Failed", "Inconclusive"]).describe("What the gate said."),
      evaluation: objectName().describe("Evaluation whose candidate it was."),
      time: time().describe("When that ended."),
    })
    .optional()
    .describe("Newest gate that it was the candidate of. No session chooses an adapter that failed it."),
  evidenceDigest: digest().optional().describe("Of the list of its evidence in the registry that this status was made from."),
  evidenceTime: time().optional().describe("When that list was last read."),
  heard: words
    .optional()
    .describe("What a person said last that its evidence has: the first 16 hex digits of the SHA-256 of the annotation's value."),
  unheard: words.optional().describe("What both annotations said again at once, so that neither was done; in the same form."),
  fitness: measurement
    .extend({ taskSet: measuredTasks.optional().describe("The tasks that it was measured on; unset in old measurements.") })
    .optional()
    .describe("Newest measured fitness, on whatever tasks."),
  evidence: z
    .array(measurement.extend({ taskSet: measuredTasks.describe("The tasks that it was measured on.") }))
    .max(mostEvidence)
    .optional()
    .describe(
      "Newest fitness on each task set of the adapter's own project, newest first. This is what sessions choose by; what was measured on tasks of another scope, or of none, isn't in it.",
    ),
  verified: z
    .object({
      time: time().describe("When the artifact was last verified."),
      files: whole(0, 1000).describe("Files of the artifact, each of which the registry had; their bytes are hashed before every load."),
    })
    .optional()
    .describe("Last verification against the registry."),
  holders: z
    .object({
      engines: whole(0, 100000).describe("Engines that hold the adapter now."),
      servers: z.array(objectName()).max(50).describe("ModelServers that hold it; the first fifty."),
    })
    .optional()
    .describe("Where the adapter is loaded."),
});

export const adapter = defineKind({
  kind: "Adapter",
  plural: "adapters",
  singular: "adapter",
  shortNames: ["rad"],
  description:
    "A LoRA adapter: memory in weights, written once. Everything in its spec is frozen, and its name ends in its manifest digest.",
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
    { name: "Tier", type: "string", jsonPath: ".status.tier", description: "How widely it is trusted." },
    { name: "Pass@1", type: "string", jsonPath: ".status.fitness.passAt1.estimate", description: "Newest measured Pass@1." },
    {
      name: "Tasks",
      type: "string",
      jsonPath: ".status.fitness.taskSet.digest",
      description: "Task set that it was measured on.",
      priority: 1,
    },
    { name: "Engines", type: "integer", jsonPath: ".status.holders.engines", description: "Engines that hold it." },
    { name: "Source", type: "string", jsonPath: ".spec.source.name", description: "What made it.", priority: 1 },
    { name: "Control", type: "boolean", jsonPath: ".spec.control", description: "Whether it only is measured against.", priority: 1 },
  ),
});
export type Adapter = ObjectOf<typeof adapter>;
