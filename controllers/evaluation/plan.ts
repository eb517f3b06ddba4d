import { artifactReference } from "@rune/crds/fields/artifact-reference";
import { measuredTasks } from "@rune/crds/fields/measurement";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { DynamicObject } from "kopf-ts";
import { z } from "zod";
import type { ConfigMap } from "../pods/manifest.ts";
import { ownedMetadata } from "../pods/pod.ts";
import { planName } from "../shared/names.ts";

const plannedAdapter = artifactReference.extend({ name: z.string(), generation: z.number() });
const plannedArm = z.object({
  name: z.string(),
  control: z.enum(["WrongTrajectory", "Mean", "Random", "Zero"]).optional(),
  generated: z.boolean().optional(),
  server: z.object({
    name: z.string(),
    shared: z.number().describe("Adapters that several arms may claim together."),
  }),
  adapters: z.array(plannedAdapter),
  assigned: z.record(z.string(), z.string()).optional(),
  batches: z.array(z.object({ adapters: z.array(z.string()), looks: z.array(z.number()) })).min(1),
  context: z.object({ artifacts: z.array(artifactReference) }).optional(),
});
export type PlannedArm = z.infer<typeof plannedArm>;

/**
 * What an evaluation will do, fixed in an immutable ConfigMap before its first program: adapters and sessions change,
 * and a restarted operator must continue with the same ones.
 */
const plan = z.object({
  taskSet: measuredTasks.required({ repository: true, clusters: true }),
  looks: z
    .array(z.object({ tasks: z.number(), clusters: z.number() }))
    .min(1)
    .describe("What each look has measured in all."),
  arms: z.array(plannedArm).min(1),
});
export type Plan = z.infer<typeof plan>;

const key = "plan.json";

export function planConfigMap(evaluation: Evaluation, content: Plan): ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownedMetadata(evaluation, planName(evaluation)),
    immutable: true,
    data: { [key]: JSON.stringify(content) },
  };
}

export const readPlan = (configMap: DynamicObject | undefined): Plan | undefined =>
  configMap && plan.parse(JSON.parse(configMap.data?.[key] ?? "null"));
