import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { longestBaseName } from "../fields/base-model.ts";
import { digest, repository, text, whole } from "../fields/field.ts";
import { checkResult, nodeChecks } from "../kinds/environment-check.ts";
import { owner, registry } from "./pod.ts";

/** Input of `rune_trainer.environment`, which checks one node. */
export const environmentJob = z.object({
  owner,
  node: text(253).describe("Name of the node."),
  device: z.enum(["CPU", "GPU"]).describe("Device that is expected on the node."),
  gpus: whole(0, 64).describe("Number of GPUs that the pod requests."),
  checks: z.array(z.enum(nodeChecks)).min(1).max(3),
  base: z.object({
    path: text(500).describe("Directory that holds the staged base model, read-only."),
    name: text(longestBaseName).describe("Name of the base model."),
    digest: digest().optional().describe("Digest over the base model's files; computed by the program when unset."),
  }),
  quantization: z.enum(["NF4", "None"]),
  question: text(1000).describe("Question that the base model learns to answer."),
  answer: text(200).describe("Sentence that the base model learns as the answer, which contains the nonce."),
  nonce: text(63).describe("Random word that no model can know."),
  output: z
    .object({
      repository: repository(),
      tag: text(128).describe("Tag by which a later attempt finds the adapter that an earlier one has stored."),
    })
    .optional()
    .describe("Where to store the trained adapter; not stored when unset, as on all nodes but the first."),
  registry,
});
export type EnvironmentJob = z.infer<typeof environmentJob>;

/** Input of `rune_trainer.environment.ask`: one question to several models of a server. */
export const askJob = z.object({
  owner,
  url: z.url().describe("Base URL of the OpenAI-compatible API, ending in `/v1`."),
  models: z.array(text(253)).min(1).max(4).describe("Served names of the models, in the order of asking."),
  question: text(1000),
  maxTokens: whole(1, 256),
  seconds: whole(1, 86400).describe("Seconds for which a server that doesn't answer is asked again."),
});
export type AskJob = z.infer<typeof askJob>;

/** Termination message of a node's Job of an EnvironmentCheck. */
export const environmentResult = z.object({
  checks: z.array(checkResult).max(3),
  versions: z.record(text(40), text(100)),
  adapter: z
    .object({
      ...artifactReference.shape,
      sizeBytes: whole(1, Number.MAX_SAFE_INTEGER),
      rank: whole(1, 512),
      alpha: whole(1, 4096),
      targetModules: z.array(text(63)).min(1),
      base: z.object({ name: text(longestBaseName), digest: digest() }),
    })
    .optional()
    .describe("Adapter that the check QLoRA stored; unset if it wasn't asked to."),
});
export type EnvironmentResult = z.infer<typeof environmentResult>;

/** Termination message of `rune_trainer.environment.ask`. */
export const askResult = z.object({ answers: z.array(text(800)).max(4).describe("Answers in the order of the models.") });
