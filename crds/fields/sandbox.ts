import { z } from "zod";
import { subdomainName, text, whole } from "./field.ts";
import { quantityAboveZero } from "./quantity.ts";

/** Longest deadline of one execution, in seconds. */
export const mostExecutionSeconds = 120;

export const sandbox = z
  .object({
    libraryConfigMap: subdomainName()
      .optional()
      .describe("Name of a ConfigMap whose files are mounted read-only on the programs' import path, such as the project's own library."),
    timeoutSeconds: whole(1, mostExecutionSeconds)
      .optional()
      .describe("Timeout of one execution in seconds, after which its whole process group is killed."),
    memory: quantityAboveZero()
      .optional()
      .describe("Memory for a program, its tests and the runner; the pod gets 96Mi more, for files in memory."),
    cpu: quantityAboveZero().optional().describe("CPU of the sandbox pod, request and limit."),
    runtimeClassName: text(253).optional().describe("RuntimeClass of the sandbox pod, such as `gvisor` or `kata`."),
  })
  .describe("Sandbox in which untrusted programs run. Nothing runs before its isolation is proven.");
export type SandboxSpec = z.infer<typeof sandbox>;

export const sandboxStatus = z
  .object({
    pod: text(253).describe("Name of the sandbox's pod."),
    podUID: text(64).optional().describe("UID of the sandbox's pod."),
    uid: whole(1, 4294967294).describe("Unix user ID that the sandbox runs as; no other sandbox uses it."),
  })
  .describe("Sandbox of the current epoch.");
