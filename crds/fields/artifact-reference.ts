import { z } from "zod";
import { digest, repository } from "./field.ts";

export const artifactReference = z.object({
  repository: repository().describe("Repository of the artifact, in the installation's registry."),
  digest: digest().describe("Digest of the artifact's manifest."),
});
export type ArtifactReference = z.infer<typeof artifactReference>;
