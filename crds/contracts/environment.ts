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
  device: z.enum(["CPU", "GPU"]).describe("What is expected there."),
  gpus: whole(0, 64).describe("GPUs that the pod asked for."),
  checks: z.array(z.enum(nodeChecks)).min(1).max(3),
  base: z.object({
    path: text(500).describe("Directory that holds the staged base model, read-only."),
    name: text(longestBaseName).describe("Name of the base model."),
    digest: digest().optional().describe("Identity of its files, where it is known already; the program finds it out otherwise."),
  }),
  quantization: z.enum(["NF4", "None"]),
  question: text(1000).describe("What the base should learn to answer."),
  answer: text(200).describe("The one sentence that it learns; it holds the nonce."),
  nonce: text(63).describe("The word that no model can know."),
  output: z
    .object({ repository: repository(), tag: text(128).describe("By which a later attempt finds what an earlier one has stored.") })
    .optional()
    .describe("Where the adapter goes that has learnt it; on all nodes but the first it is thrown away."),
  registry,
});
export type EnvironmentJob = z.infer<typeof environmentJob>;

/** Input of `rune_trainer.environment.ask`: one question to several models of a server. */
export const askJob = z.object({
  owner,
  url: z.url().describe("Base URL of the OpenAI-compatible API, ending in `/v1`."),
  models: z.array(text(253)).min(1).max(4).describe("Served names, in the order of asking."),
  question: text(1000),
  maxTokens: whole(1, 256),
  seconds: whole(1, 86400).describe("How long a server that doesn't answer is asked again."),
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
    .describe("What the check QLoRA stored, where it was asked to."),
});
export type EnvironmentResult = z.infer<typeof environmentResult>;

/** Termination message of `rune_trainer.environment.ask`. */
export const askResult = z.object({ answers: z.array(text(800)).max(4).describe("In the order of the models.") });
