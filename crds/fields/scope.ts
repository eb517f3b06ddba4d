import { z } from "zod";
import { text } from "./field.ts";

export const scope = z
  .object({
    project: text(63).optional().describe("Project that the knowledge belongs to, such as a repository's name."),
    domain: text(63).optional().describe("Domain inside the project, such as `billing` or `parsing`."),
    task: text(63).optional().describe("Single task that the knowledge belongs to."),
  })
  .describe(
    "Project, domain and task that the knowledge applies to. Sessions automatically choose only adapters whose scope includes theirs.",
  );
export type Scope = z.infer<typeof scope>;
