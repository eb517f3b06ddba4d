import { z } from "zod";
import { labels, text, whole } from "./field.ts";
import { quantity, quantityAboveZero } from "./quantity.ts";

export const resources = z
  .object({
    cpu: quantity().optional().describe("CPU request of the main container."),
    cpuLimit: quantityAboveZero()
      .optional()
      .describe("CPU limit of the main container; unlimited when unset. Required in a namespace whose quota counts `limits.cpu`."),
    memory: quantityAboveZero().optional().describe("Memory request and limit of the main container."),
    gpus: whole(0, 16)
      .optional()
      .describe("Number of GPUs of the main container, requested as the GPU resource that the installation is configured with."),
  })
  .describe("Compute resources of the main container.");
export type Resources = z.infer<typeof resources>;

export const scheduling = {
  nodeSelector: labels().optional().describe("Labels that a node must carry."),
  tolerations: z
    .array(
      z.object({
        key: text(253).optional().describe("Taint key that is tolerated; empty tolerates all keys."),
        operator: z.enum(["Exists", "Equal"]).optional().describe("How the taint is matched: Exists by its key, Equal by key and value."),
        value: text(63).optional().describe("Taint value that is tolerated."),
        effect: z
          .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
          .optional()
          .describe("Taint effect that is tolerated; empty tolerates all."),
        tolerationSeconds: whole(0, 2147483647)
          .optional()
          .describe("Seconds for which a NoExecute taint is tolerated; forever when unset."),
      }),
    )
    .max(32)
    .optional()
    .describe("Taints that the pods tolerate."),
  priorityClassName: text(253).optional().describe("PriorityClass of the pods."),
};
