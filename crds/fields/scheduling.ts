import { z } from "zod";
import { labels, text, whole } from "./field.ts";
import { quantity, quantityAboveZero } from "./quantity.ts";

export const resources = z
  .object({
    cpu: quantity().optional().describe("CPU request of the main container."),
    cpuLimit: quantityAboveZero()
      .optional()
      .describe(
        "CPU limit of the main container. Without one it may use what its node has to spare; at a limit it is slowed down, on an idle node too. A namespace whose quota counts `limits.cpu` needs one.",
      ),
    memory: quantityAboveZero().optional().describe("Memory request and limit of the main container."),
    gpus: whole(0, 16).optional().describe("GPUs of the main container, counted in the installation's GPU resource."),
  })
  .describe("Compute resources of the main container.");
export type Resources = z.infer<typeof resources>;

export const scheduling = {
  nodeSelector: labels().optional().describe("Labels that a node must carry."),
  tolerations: z
    .array(
      z.object({
        key: text(253).optional().describe("Taint key that is tolerated; empty tolerates all keys."),
        operator: z.enum(["Exists", "Equal"]).optional().describe("How the value is compared."),
        value: text(63).optional().describe("Taint value that is tolerated."),
        effect: z
          .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
          .optional()
          .describe("Taint effect that is tolerated; empty tolerates all."),
        tolerationSeconds: whole(0, 2147483647).optional().describe("How long a NoExecute taint is tolerated."),
      }),
    )
    .max(32)
    .optional()
    .describe("Taints that the pods tolerate."),
  priorityClassName: text(253).optional().describe("PriorityClass of the pods."),
};
