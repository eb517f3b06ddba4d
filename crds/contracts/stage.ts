import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { digest, text } from "../fields/field.ts";
import { registry } from "./pod.ts";

/** Where the stager's input document is mounted. */
export const stagePath = "/rune/stage.json";

/** Input of `adapter-loader stage`: puts a base model into a directory and prints its identity. */
export const stageJob = z.object({
  base: z.object({
    huggingFace: z.object({ repository: text(200), revision: text(40) }).optional(),
    oci: artifactReference.optional(),
    pvc: z.object({ path: text(500).describe("Directory of the model in the mounted volume.") }).optional(),
  }),
  target: text(200).describe("Directory that the base model is put into."),
  expectedDigest: digest().optional().describe("Digest over the files that is required; unset until it is known."),
  registry: registry.optional(),
});
export type StageJob = z.infer<typeof stageJob>;
