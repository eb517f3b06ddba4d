import { z } from "zod";
import { digest, repository, subdomainName, text } from "./field.ts";

/** Characters that a base model's name for people may have: in artifacts, in an Adapter's spec, and in pods' inputs. */
export const longestBaseName = 200;

export const baseModel = z
  .object({
    huggingFace: z
      .object({
        repository: text(200).min(3).describe("Repository on the Hugging Face hub, such as `Qwen/Qwen2.5-Coder-7B-Instruct`."),
        revision: z
          .string()
          .regex(/^[0-9a-f]{40}$/)
          .max(40)
          .describe("Full commit hash of the revision; branches and tags can move, so they are not accepted."),
        tokenSecret: z
          .object({
            name: subdomainName().describe("Name of the Secret, in the same namespace."),
            key: text(253).min(1).default("token").describe("Key of the Secret that holds the token."),
          })
          .optional()
          .describe("Secret with an access token for the repository; required for private and gated models."),
      })
      .optional()
      .describe("A model on the Hugging Face hub, pinned by commit."),
    oci: z
      .object({
        repository: repository().describe("Repository in the installation's registry that holds the model artifact."),
        digest: digest().describe("Digest of the model artifact's manifest."),
      })
      .optional()
      .describe("A model stored as an OCI artifact, pinned by manifest digest."),
    pvc: z
      .object({
        claimName: subdomainName().describe("PersistentVolumeClaim that holds the model."),
        path: text(500).describe("Directory of the model, relative to the root of the volume."),
      })
      .optional()
      .describe("A model directory on an existing volume; its digest is computed when it is first read."),
  })
  .describe("Base model, from exactly one of `huggingFace`, `oci` and `pvc`. It is identified everywhere by a digest over its files.");
export type BaseModel = z.infer<typeof baseModel>;
