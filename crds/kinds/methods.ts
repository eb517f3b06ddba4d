import { z } from "zod";
import { decimal, digest, objectName, repository, signedDecimal, whole } from "../fields/field.ts";
import { targetModules } from "./adapter.ts";

/*
 * The methods of a TrainingRun, with one schema each. A field that several methods have is defined once.
 */

/** Largest rank of an adapter: the limit of vLLM. */
export const largestRank = 512;

const precision = z.enum(["BFloat16", "Float32"]).default("BFloat16").describe("Precision of the frozen base and of the arithmetic.");
const quantization = z.enum(["None", "NF4"]).default("None").describe("Quantization of the frozen base; NF4 makes it QLoRA.");
const seed = (what: string) => whole(0, 2147483647).default(0).describe(`Seed of ${what}.`);
const topK = whole(1, 1000).default(16).describe("Likeliest next tokens of the teacher that are kept per learnt token, with Distillation.");

export const sft = z
  .object({
    objective: z
      .enum(["CrossEntropy", "Distillation"])
      .default("CrossEntropy")
      .describe(
        "What is learnt: the text itself, or what the frozen base would say at it with the session's trajectory in its context. The adapter never sees a token of the trajectory.",
      ),
    topK,
    warmStart: z
      .object({ adapter: objectName(52).describe("Adapter of the same base, rank, alpha and target modules.") })
      .optional()
      .describe("Goes on from an adapter's weights instead of from none; it becomes the new adapter's parent."),
    rank: whole(1, 512).default(16).describe("LoRA rank."),
    alpha: whole(1, 4096).default(32).describe("LoRA alpha."),
    targetModules: targetModules.default(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]),
    epochs: whole(1, 100).default(5).describe("Passes over the corpus."),
    batchSize: whole(1, 1024)
      .default(4)
      .describe("Most examples of one optimizer step. An epoch has every example once, in steps of nearly one size."),
    learningRate: decimal().default("0.0004").describe("Peak learning rate; it falls linearly to a twentieth."),
    maxLength: whole(64, 131072)
      .default(1024)
      .describe("Longest example in tokens; longer ones are left out and counted, and more than a fifth of all is refused."),
    precision,
    quantization,
    seed: seed("initial weights and of the order of examples"),
  })
  .describe("Supervised fine-tuning of a LoRA adapter on what sessions wrote.");

export const hypernetwork = z
  .object({
    objective: z
      .enum(["Distillation", "CrossEntropy", "Reconstruction"])
      .default("Distillation")
      .describe(
        "What the generated adapters must do: answer as the base does with the trajectory in its context, say the text itself, or equal the adapter that was fine-tuned from the same trajectory.",
      ),
    topK,
    rank: whole(1, 64).default(8).describe("LoRA rank that one chunk of a trajectory makes. The static part has the same rank."),
    targetModules: targetModules.default(["down_proj"]),
    width: whole(16, 4096).default(512).describe("Width of the Perceiver's latents."),
    blocks: whole(1, 32).default(8).describe("Cross-attention blocks of the Perceiver."),
    heads: whole(1, 64).default(8).describe("Attention heads; they divide the width."),
    chunkTokens: whole(16, 32768)
      .default(512)
      .describe("Longest piece of a trajectory that is read at once; the pieces' adapters are joined along the rank."),
    maxChunks: whole(1, 63).default(7).describe("Most pieces of one trajectory; what is beyond is left out and counted."),
    steps: whole(1, 10000000).default(1000).describe("Optimizer steps."),
    batchSize: whole(1, 1024).default(16).describe("Trajectories of one optimizer step."),
    examplesPerTrajectory: whole(1, 64).default(4).describe("Examples that each trajectory of a step is asked."),
    learningRate: decimal()
      .default("0.0004")
      .describe("Peak learning rate; it rises for a tenth of the steps, at most 100, and falls linearly to a twentieth."),
    diversityWeight: decimal()
      .default("0")
      .describe(
        "Weight of a penalty on the cosine between generated adapters. It can be satisfied without any information; the alarms watch for that.",
      ),
    maxLength: whole(64, 131072)
      .default(1024)
      .describe(
        "Longest example in tokens, without the trajectory; longer ones are left out and counted, and more than a fifth of all is refused.",
      ),
    minimumPairs: whole(1, 100000).default(50).describe("Fewest trajectories of solved sessions that may be learnt from."),
    holdoutPercent: whole(1, 50)
      .default(10)
      .describe("Share of the trajectories that is never trained on and that the alarms are measured on."),
    stop: z
      .object({
        afterPercent: whole(0, 100).default(30).describe("Share of the steps before which nothing stops the run."),
        cosineDiversityBelow: decimal()
          .default("0.1")
          .describe("Stops where 1 − mean cosine between held-out trajectories' adapters is smaller."),
        rightMinusWrongBelow: signedDecimal()
          .default("0")
          .describe(
            "Stops where the loss with another trajectory's adapter exceeds the loss with the right one by no more than this, in nats per token. A network that ignores what it reads has 0.",
          ),
      })
      .default({ afterPercent: 30, cosineDiversityBelow: "0.1", rightMinusWrongBelow: "0" })
      .describe("When training ends early as collapsed. It ends Succeeded with ModeCollapse=True; its artifact is kept for study."),
    precision,
    quantization,
    seed: seed("initial weights, of what is held out and of the order"),
  })
  .describe("Training of a Doc-to-LoRA hypernetwork: from a trajectory to an adapter in one forward pass.");

/** A hypernetwork, by the run that trained it or by its artifact; the rule is `isOneHypernetwork`. */
export const hypernetworkReference = z.object({
  run: objectName(45).optional().describe("TrainingRun that trained it; its result is waited for."),
  repository: repository().optional().describe("Repository that holds it, with digest."),
  digest: digest().optional().describe("Digest of the hypernetwork's manifest."),
});

/** CEL: the reference at this path has exactly one of the two forms, completely. */
export const isOneHypernetwork = (path: string) =>
  `(has(${path}.run) ? !has(${path}.repository) && !has(${path}.digest) : has(${path}.repository) && has(${path}.digest))`;

export const generate = z
  .object({
    hypernetwork: hypernetworkReference.describe("The hypernetwork: run, or repository and digest."),
    each: z
      .enum(["Corpus", "Session"])
      .default("Corpus")
      .describe("One adapter of all trajectories together, joined along the rank, or one adapter of each."),
    force: z.boolean().default(false).describe("Takes a hypernetwork whose training ended as collapsed, for study."),
  })
  .describe("Adapters by one forward pass of a hypernetwork over each trajectory.");

export const merge = z
  .object({
    adapters: z
      .array(objectName(52))
      .min(1)
      .max(16)
      .describe("Adapters of one base, one alone only with normOf. Their ranks, alphas and target modules may differ."),
    combine: z
      .enum(["Cat", "Mean", "Svd", "Ties", "DareTies"])
      .default("Cat")
      .describe(
        "How their changes of the weights become one: the exact weighted sum at the sum of ranks, the exact mean, the sum truncated to rank, or TIES and DARE-TIES on the changes themselves, truncated to rank.",
      ),
    weights: z.array(decimal()).min(1).max(16).optional().describe("Weight of each adapter; 1 each when unset."),
    normOf: objectName(52)
      .optional()
      .describe(
        "Adapter whose strength the result gets: all of its changes are scaled alike, until together they have the norm of that one's. What an adapter is at another's strength tells a gain by combination from a gain by dose.",
      ),
    search: z
      .object({
        method: z.enum(["Grid", "CMAES"]).default("Grid").describe("Grid tries one common weight; CMAES a weight for each adapter."),
        evaluations: whole(3, 1000).default(20).describe("Most sets of weights that are tried."),
      })
      .optional()
      .describe(
        "Finds the weights: those with the smallest cross-entropy of the programs that passed on the parents' Validation tasks. No program is run.",
      ),
    rank: whole(1, 512).optional().describe("Rank of the result; the sum of ranks for Cat and Mean, the largest of them otherwise."),
    density: decimal().default("0.5").describe("Share of each change that TIES and DARE keep."),
    seed: seed("what DARE drops and of the search"),
  })
  .describe("One adapter from several, without training.");

export const control = z
  .object({
    like: objectName(52).describe("Adapter that it imitates in shape, and, unless it is zero, in the norm of every layer's change."),
    kind: z.enum(["RandomOfEqualNorm", "Zero"]).default("RandomOfEqualNorm").describe("What it holds."),
    seed: seed("its weights"),
  })
  .describe("An adapter that knows nothing, to measure others against. No session ever chooses it by itself.");

/** Every method, by the name of its section in a TrainingRun. */
export const methods = { sft, hypernetwork, generate, merge, control };
export type Method = keyof typeof methods;
export const methodNames = Object.keys(methods) as Method[];
/** The one method of a TrainingRun: its spec has exactly one section. */
export const methodOf = ({ spec }: { spec: { readonly [name in Method]?: unknown } }): Method =>
  methodNames.find((name) => spec[name] !== undefined) ?? "sft";
/** Methods whose work several GPUs divide; the others work with one. */
export const dividedMethods = ["sft", "hypernetwork"] as const;
/** Methods that learn from a corpus. */
export const learningMethods: readonly Method[] = ["sft", "hypernetwork", "generate"];
