import { z } from "zod";
import { digest, repository, subdomainName, text, whole } from "./field.ts";

/** Task sets that come with the installation. */
export const bundledTaskSets = ["HumanEval"] as const;
export type BundledTaskSet = (typeof bundledTaskSets)[number];

/**
 * A part of a task set: by SHA-256 of the cluster, or of the id where a task has none, read as a number, modulo 100:
 * below 50 Train, below 75 Validation, the others Test. It is the same everywhere and permanently, so a task that was
 * learnt from never decides.
 */
export const parts = ["All", "Train", "Validation", "Test"] as const;
export type Part = (typeof parts)[number];
/** A task's number, from 0 to 99, is below the first in Train, below the second in Validation, else in Test. */
export const partBelow = { Train: 50, Validation: 75 } as const;

export const taskSetReference = z
  .object({
    repository: repository().optional().describe("Repository of the task set in the installation's registry; set together with `digest`."),
    digest: digest().optional().describe("Manifest digest of the task set; set together with `repository`."),
    configMap: z
      .object({
        name: subdomainName().describe("Name of the ConfigMap, in the same namespace."),
        key: text(253)
          .min(1)
          .default("tasks.jsonl")
          .describe("Key of the ConfigMap that holds the tasks: a task set in JSON, a JSON list of tasks, or one JSON task per line."),
      })
      .optional()
      .describe("Task set in a ConfigMap. It is stored as an artifact, whose digest is frozen, before the first program runs."),
    bundled: z.enum(bundledTaskSets).optional().describe("Name of a task set that comes with the installation."),
    part: z.enum(parts).default("All").describe("Part of the task set to use: learn from Train, select by Validation, decide by Test."),
    maxTasks: whole(1, 100000).optional().describe("Maximum number of tasks, sampled from the part by `spec.seed`; all tasks when unset."),
  })
  .describe("Held-out tasks: exactly one of `repository` with `digest`, `configMap`, and `bundled`.");
