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
    repository: repository().optional().describe("Repository in the installation's registry, with digest."),
    digest: digest().optional().describe("Digest of the artifact's manifest."),
    configMap: z
      .object({
        name: subdomainName().describe("ConfigMap in this namespace."),
        key: text(253).min(1).default("tasks.jsonl").describe("Its entry: a task set in JSON, a list of tasks, or a task a line."),
      })
      .optional()
      .describe("Tasks in a ConfigMap; they are stored as an artifact, whose digest is frozen, before the first program runs."),
    bundled: z.enum(bundledTaskSets).optional().describe("A task set that comes with the installation."),
    part: z.enum(parts).default("All").describe("Which of the set's tasks. Learn from Train, select by Validation, decide by Test."),
    maxTasks: whole(1, 100000).optional().describe("Uses only this many tasks of the part, chosen by the seed."),
  })
  .describe("The held-out tasks: repository and digest, configMap, or bundled.");
