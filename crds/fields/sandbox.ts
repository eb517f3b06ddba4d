import { z } from "zod";
import { subdomainName, text, whole } from "./field.ts";
import { quantityAboveZero } from "./quantity.ts";

/** Longest deadline of one execution, in seconds. */
export const mostExecutionSeconds = 120;

export const sandbox = z
  .object({
    libraryConfigMap: subdomainName()
      .optional()
      .describe("ConfigMap whose files stand on the program's import path, read-only: the project's own library."),
    timeoutSeconds: whole(1, mostExecutionSeconds)
      .optional()
      .describe("Deadline of one execution; the whole process group is killed at it."),
    memory: quantityAboveZero()
      .optional()
      .describe("Memory for a program, its tests and the runner; the pod gets 96Mi more, for files in memory."),
    cpu: quantityAboveZero().optional().describe("CPU of the sandbox pod, request and limit."),
    runtimeClassName: text(253).optional().describe("RuntimeClass of the sandbox pod, such as `gvisor` or `kata`."),
  })
  .describe("Where untrusted programs run. Isolation is proven before the first one runs; without proof nothing runs.");
export type SandboxSpec = z.infer<typeof sandbox>;

export const sandboxStatus = z
  .object({
    pod: text(253).describe("Pod of the sandbox."),
    podUID: text(64).optional().describe("UID of that pod."),
    uid: whole(1, 4294967294).describe("User ID that this sandbox alone runs as."),
  })
  .describe("The sandbox of the present epoch.");
