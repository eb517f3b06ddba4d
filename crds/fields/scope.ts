import { z } from "zod";
import { text } from "./field.ts";

export const scope = z
  .object({
    project: text(63).optional().describe("Project that the knowledge belongs to, such as a repository's name."),
    domain: text(63).optional().describe("Domain inside the project, such as `billing` or `parsing`."),
    task: text(63).optional().describe("Single task that the knowledge belongs to."),
  })
  .describe("Where the knowledge applies: retrieval goes from task to domain to project.");
export type Scope = z.infer<typeof scope>;
