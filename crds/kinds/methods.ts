import { z } from "zod";
import { decimal, digest, objectName, repository, signedDecimal, whole } from "../fields/field.ts";
import { targetModules } from "./adapter.ts";

/*
 * The methods of a TrainingRun, with one schema each. A field that several methods have is defined once.
 */

/** Largest rank of an adapter: the limit of vLLM. */
export const largestRank = 512;

/** Adapters that one run can merge. */
const mostMerged = 16;
/** Adapters that one run can start from: those that it merges, and the one whose norm the result gets. */
export const mostAdapters = mostMerged + 1;

const precision = z
  .enum(["BFloat16", "Float32"])
  .default("BFloat16")
  .describe("Floating-point precision of the frozen base model and of the computation.");
const quantization = z
  .enum(["None", "NF4"])
  .default("None")
  .describe("Quantization of the frozen base model; NF4 makes the training QLoRA.");
const seed = (what: string) => whole(0, 2147483647).default(0).describe(`Seed of ${what}.`);
const topK = whole(1, 1000)
  .default(16)
  .describe("Number of the teacher's most likely next tokens that are kept per learnt token; only used with `objective: Distillation`.");

export const sft = z
  .object({
    objective: z
      .enum(["CrossEntropy", "Distillation"])
      .default("CrossEntropy")
      .describe(
        "Training target. CrossEntropy: the text itself. Distillation: the base model's predictions on the text with the session's trajectory in its context, of which the adapter sees nothing.",
      ),
    topK,
    warmStart: z
      .object({ adapter: objectName(52).describe("Name of an Adapter of the same base model, rank, alpha and target modules.") })
      .optional()
      .describe("Starts the training from the weights of an existing adapter, which becomes the new adapter's parent."),
    rank: whole(1, 512).default(16).describe("LoRA rank of the adapter."),
    alpha: whole(1, 4096).default(32).describe("LoRA alpha of the adapter."),
    targetModules: targetModules.default(["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]),
    epochs: whole(1, 100).default(5).describe("Number of passes over the corpus."),
    batchSize: whole(1, 1024)
      .default(4)
      .describe("Maximum number of examples per optimizer step. The examples of an epoch are divided evenly among its steps."),
    learningRate: decimal().default("0.0004").describe("Peak learning rate, which decays linearly to a twentieth."),
    maxLength: whole(64, 131072)
      .default(1024)
      .describe(
        "Maximum length of an example in tokens. Longer examples are left out and counted; the run fails if they are more than a fifth of all.",
      ),
    precision,
    quantization,
    seed: seed("initial weights and of the order of examples"),
  })
  .describe("Method: supervised fine-tuning of a LoRA adapter on what sessions wrote.");

export const hypernetwork = z
  .object({
    objective: z
      .enum(["Distillation", "CrossEntropy", "Reconstruction"])
      .default("Distillation")
      .describe(
        "Training target of the generated adapters. Distillation: the base model's predictions with the trajectory in its context. CrossEntropy: the text itself. Reconstruction: the adapter that was fine-tuned from the same trajectory.",
      ),
    topK,
    rank: whole(1, 64)
      .default(8)
      .describe("LoRA rank that is generated from each chunk of a trajectory. The static part has the same rank."),
    targetModules: targetModules.default(["down_proj"]),
    width: whole(16, 4096).default(512).describe("Width of the Perceiver's latents."),
    blocks: whole(1, 32).default(8).describe("Number of the Perceiver's cross-attention blocks."),
    heads: whole(1, 64).default(8).describe("Number of the Perceiver's attention heads; must divide `width`."),
    chunkTokens: whole(16, 32768)
      .default(512)
      .describe(
        "Maximum length in tokens of a chunk of a trajectory that is read at once. The adapters of the chunks are concatenated along the rank.",
      ),
    maxChunks: whole(1, 63).default(7).describe("Maximum number of chunks per trajectory; the rest is left out and counted."),
    steps: whole(1, 10000000).default(1000).describe("Number of optimizer steps."),
    batchSize: whole(1, 1024).default(16).describe("Number of trajectories per optimizer step."),
    examplesPerTrajectory: whole(1, 64).default(4).describe("Number of examples per trajectory in each optimizer step."),
    learningRate: decimal()
      .default("0.0004")
      .describe("Peak learning rate, which is reached after a tenth of the steps (at most 100) and then decays linearly to a twentieth."),
    diversityWeight: decimal()
      .default("0")
      .describe(
        "Weight of a penalty on the cosine similarity of generated adapters. It can be minimized without using the trajectories, which `stop` detects.",
      ),
    maxLength: whole(64, 131072)
      .default(1024)
      .describe(
        "Maximum length of an example in tokens, without the trajectory. Longer examples are left out and counted; the run fails if they are more than a fifth of all.",
      ),
    minimumPairs: whole(1, 100000)
      .default(50)
      .describe("Minimum number of trajectories of solved sessions, below which the run doesn't train."),
    holdoutPercent: whole(1, 50)
      .default(10)
      .describe("Percentage of the trajectories that are held out from training, to measure the values of `stop` on."),
    stop: z
      .object({
        afterPercent: whole(0, 100).default(30).describe("Percentage of the steps before which training is never stopped."),
        cosineDiversityBelow: decimal()
          .default("0.1")
          .describe("Stops the training if 1 − mean cosine similarity of the held-out trajectories' adapters is below this value."),
        rightMinusWrongBelow: signedDecimal()
          .default("0")
          .describe(
            "Stops the training if another trajectory's adapter raises the held-out loss by no more than this, in nats per token. A network that ignores its input has 0.",
          ),
      })
      .default({ afterPercent: 30, cosineDiversityBelow: "0.1", rightMinusWrongBelow: "0" })
      .describe(
        "Thresholds at which training ends early as collapsed. The run then ends Succeeded with the condition ModeCollapse, and its artifact is kept for study.",
      ),
    precision,
    quantization,
    seed: seed("initial weights, of the choice of held-out trajectories and of the order"),
  })
  .describe("Method: training of a Doc-to-LoRA hypernetwork, which makes an adapter of a trajectory in one forward pass.");

/** A hypernetwork, by the run that trained it or by its artifact; the rule is `isOneHypernetwork`. */
export const hypernetworkReference = z.object({
  run: objectName(45).optional().describe("Name of the TrainingRun that trains the hypernetwork, which may still be running."),
  repository: repository().optional().describe("Repository of the hypernetwork's artifact; set together with `digest`."),
  digest: digest().optional().describe("Manifest digest of the hypernetwork's artifact; set together with `repository`."),
});

/** CEL: the reference at this path has exactly one of the two forms, completely. */
export const isOneHypernetwork = (path: string) =>
  `(has(${path}.run) ? !has(${path}.repository) && !has(${path}.digest) : has(${path}.repository) && has(${path}.digest))`;

export const generate = z
  .object({
    hypernetwork: hypernetworkReference.describe("Hypernetwork that generates: either `run`, or `repository` and `digest`."),
    each: z
      .enum(["Corpus", "Session"])
      .default("Corpus")
      .describe("Corpus makes one adapter of all trajectories, concatenated along the rank. Session makes one adapter of each trajectory."),
    force: z.boolean().default(false).describe("Allows a hypernetwork whose training ended as collapsed, for study."),
  })
  .describe("Method: generation of adapters by one forward pass of a hypernetwork over each trajectory.");

export const merge = z
  .object({
    adapters: z
      .array(objectName(52))
      .min(1)
      .max(mostMerged)
      .describe(
        "Names of the Adapters to merge, of one base model; a single one only with `normOf`. Their ranks, alphas and target modules may differ.",
      ),
    combine: z
      .enum(["Cat", "Mean", "Svd", "Ties", "DareTies"])
      .default("Cat")
      .describe(
        "How the adapters' weight changes are combined. Cat: exact weighted sum, at the sum of ranks. Mean: exact mean. Svd: sum truncated to `rank`. Ties and DareTies: TIES and DARE-TIES, truncated to `rank`.",
      ),
    weights: z
      .array(decimal())
      .min(1)
      .max(mostMerged)
      .optional()
      .describe("Weight of each adapter, in the order of `adapters`; 1 each when unset."),
    normOf: objectName(52)
      .optional()
      .describe(
        "Name of an Adapter whose strength the result gets: all weight changes are scaled by one factor, to that Adapter's norm. Used to tell a gain by combination from a gain by strength alone.",
      ),
    search: z
      .object({
        method: z
          .enum(["Grid", "CMAES"])
          .default("Grid")
          .describe("Grid tries values of one weight that all adapters share; CMAES searches a weight for each adapter."),
        evaluations: whole(3, 1000).default(20).describe("Maximum number of sets of weights that are tried."),
      })
      .optional()
      .describe(
        "Search for the weights with the smallest cross-entropy on the programs that passed in the parents' Validation tasks. No program is executed.",
      ),
    rank: whole(1, 512)
      .optional()
      .describe("LoRA rank of the result; when unset, the sum of the adapters' ranks for Cat and Mean, and otherwise the largest of them."),
    density: decimal().default("0.5").describe("Share of each adapter's weight change that TIES and DARE keep, as a decimal."),
    seed: seed("the random drops of DARE and of the search"),
  })
  .describe("Method: merge of several adapters into one, without training.");

export const control = z
  .object({
    like: objectName(52).describe(
      "Name of the Adapter whose shape is imitated and, unless `kind` is Zero, the norm of each layer's weight change.",
    ),
    kind: z
      .enum(["RandomOfEqualNorm", "Zero"])
      .default("RandomOfEqualNorm")
      .describe("Content of the control adapter: random weights with the norm of `like`, or zeros."),
    seed: seed("the random weights"),
  })
  .describe(
    "Method: creation of a control adapter, which holds no knowledge and is compared with in evaluations. Sessions never choose it automatically.",
  );

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
