import { z } from "zod";
import { task } from "./agent-session.ts";
import { artifactReference, parts, sampling, scope } from "./common.ts";
import { nodeChecks } from "./environment-check.ts";
import { gate, mostArmsTogether } from "./evaluation.ts";
import { digest, repository, text, whole } from "./field.ts";
import { control, generate, hypernetwork, merge, methodNames, sft } from "./methods.ts";

/** Where a pod's input document is mounted. */
export const specPath = "/rune/spec.json";
/** Where a pod's credentials are mounted: `nats.creds`, `registry-token`, `runner-token`; only those it needs. */
export const credentialsPath = "/rune/credentials";

/** Exit codes of the pod contract. The permanent ones (sysexits) are not retried. */
export const exit = { done: 0, dataError: 64, badInput: 65, unavailable: 75, misconfigured: 78, terminated: 143 } as const;
export const permanentExits: readonly number[] = [exit.dataError, exit.badInput, exit.misconfigured];

const registry = z.object({
  url: z.url().describe("Base URL of the registry."),
  tokenFile: text(200).describe("File that holds the bearer token."),
});
const nats = z.object({
  url: text(300).describe("URL of the NATS server."),
  credentialsFile: text(200).describe("File that holds the user's credentials."),
  stream: text(100).describe("JetStream stream of the logs."),
  subject: text(253).describe("The object's own subject."),
});
const mlflow = z
  .object({ url: z.url().describe("Base URL of the tracking server."), experiment: text(200).describe("Name of the experiment.") })
  .optional();
const owner = z
  .object({ kind: text(63), namespace: text(63), name: text(63), uid: text(64) })
  .describe("The object that the pod works for.");

const resolvedSandbox = z.object({
  url: z.url().describe("Base URL of the runner."),
  tokenFile: text(200).describe("File that holds the runner's bearer token."),
  timeoutSeconds: whole(1, 120).describe("Deadline of one execution."),
  memoryMiB: whole(16, 65536).describe("Memory of one execution."),
  probeTargets: z
    .object({ canary: text(300), dns: text(300), modelServer: text(300), apiServer: text(300), node: text(300) })
    .describe("`host:port` of what the sandbox must not reach; the agent itself must reach the canary and the model server."),
});
const model = z.object({
  url: z.url().describe("Base URL of the OpenAI-compatible API, ending in `/v1`."),
  base: text(253).describe("Served name of the base model."),
  name: text(253).describe("Served model name to ask for: the Adapter's name, or the base's."),
});

/** Input of the agent: one epoch of one session. */
export const agentJob = z.object({
  owner,
  epoch: whole(1, 1000000),
  task,
  model: model.extend({
    maxModelLength: whole(256, 1048576).describe("Longest sequence that the model takes, prompt and answer together, in tokens."),
  }),
  attempts: whole(1, 50),
  candidates: whole(1, 16),
  reflection: z.enum(["Notes", "History"]),
  sampling,
  sandbox: resolvedSandbox,
  nats,
  deadline: z.iso.datetime().describe("When the session's time is over."),
});
export type AgentJob = z.infer<typeof agentJob>;

/** Arms of the evaluator, resolved. */
const evaluatorArm = z.object({
  name: text(30),
  model: model.describe("`name` is what is asked where no assignment names another."),
  adapterDigest: digest().optional(),
  assigned: z
    .record(text(100), text(63))
    .optional()
    .describe("Id of a task → name of the adapter that answers it; a task that isn't here is answered by the base."),
  control: z
    .enum(["WrongTrajectory", "Mean", "Random", "Zero"])
    .optional()
    .describe(
      "What the arm is there to be compared with, where it is a control: other tasks' adapters, the mean of the right ones, or noise.",
    ),
  generated: z
    .boolean()
    .optional()
    .describe("Whether a hypernetwork made the arm's adapters: a gate on them wants control arms whatever the gain."),
  adapters: z
    .array(artifactReference.extend({ name: text(63), generation: whole(0, 1000000) }))
    .max(512)
    .describe("Every adapter of the arm: what they learnt from may not hold a task of the set."),
  context: z
    .object({
      artifacts: z.array(artifactReference).max(500).describe("Trajectories, or corpora of many."),
      pick: z.enum(["Nearest", "All"]),
      as: z.enum(["Notes", "Trajectories"]),
      maxTokens: whole(64, 131072),
    })
    .optional(),
});

/** Input of the evaluator: one epoch of one evaluation, which is some of its arms, as far as the claimed adapters answer them, up to one look. */
export const evaluatorJob = z.object({
  owner,
  epoch: whole(1, 1000000),
  active: z
    .array(text(30))
    .min(1)
    .max(mostArmsTogether)
    .describe("Names of the arms that this pod works on, in their order; one server answers them all."),
  claimed: z.array(text(63)).max(512).describe("Adapters that may be asked now, beside the base: tasks of others come in another epoch."),
  arms: z.array(evaluatorArm).min(1).max(8),
  taskSet: z.object({
    ...artifactReference.shape,
    part: z.enum(parts),
    maxTasks: whole(1, 100000).optional(),
  }),
  seenTasks: z.enum(["Refuse", "Allow"]),
  samples: whole(1, 100),
  sampling,
  seed: whole(0, 2147483647),
  concurrency: whole(1, 64),
  gate: gate.optional(),
  look: z.object({ number: whole(1, 5), of: whole(1, 5) }).describe("Tasks up to this share of the set are worked on."),
  sandbox: resolvedSandbox,
  registry,
  report: z.object({ repository: repository() }),
  nats,
  mlflow,
  deadline: z.iso.datetime(),
});
export type EvaluatorJob = z.infer<typeof evaluatorJob>;

/** Input of the trainer. `method` names the one section that is there. */
export const trainerJob = z.object({
  owner,
  attempt: whole(1, 1000),
  method: z.enum(methodNames),
  sft: sft.optional(),
  hypernetwork: hypernetwork.optional(),
  generate: generate.optional(),
  merge: merge.optional(),
  control: control.optional(),
  base: z.object({
    path: text(500).describe("Directory that holds the staged base model, read-only."),
    name: text(200).describe("Name of the base model."),
    digest: digest().describe("Identity of the base model's files."),
  }),
  corpus: z
    .object({
      trajectories: z
        .array(
          artifactReference.extend({
            adapter: artifactReference.optional().describe("The adapter that was fine-tuned from this trajectory alone."),
          }),
        )
        .max(10000)
        .describe("Trajectories, or artifacts that hold a corpus of many."),
      include: z.array(z.enum(["Programs", "Notes", "Corrections"])).min(1),
      digest: digest(),
    })
    .optional(),
  adapters: z
    .array(artifactReference.extend({ name: text(63) }))
    .max(16)
    .describe("Adapters that the method starts from, in the order of its section: those to merge, the one to imitate or to go on from."),
  generator: artifactReference.optional().describe("The hypernetwork of `generate`."),
  output: z.object({
    repository: repository(),
    scope: scope.optional().describe("Scope of the adapter; with `generate` of each session, each session's own where this is unset."),
    generation: whole(0, 1000000),
    parents: z.array(z.object({ name: text(63), digest: digest() })),
  }),
  checkpoint: z.object({ directory: text(200), everySteps: whole(1, 100000) }),
  registry,
  nats: nats.optional().describe("Where progress is published, with core NATS."),
  mlflow,
});
export type TrainerJob = z.infer<typeof trainerJob>;

/** Input of `rune_trainer.environment`: what one node can do. */
export const environmentJob = z.object({
  owner,
  node: text(253).describe("Name of the node."),
  device: z.enum(["CPU", "GPU"]).describe("What is expected there."),
  gpus: whole(0, 64).describe("GPUs that the pod asked for."),
  checks: z.array(z.enum(nodeChecks)).min(1).max(3),
  base: z.object({
    path: text(500).describe("Directory that holds the staged base model, read-only."),
    name: text(200).describe("Name of the base model."),
    digest: digest().optional().describe("Identity of its files, where it is known already; the program finds it out otherwise."),
  }),
  quantization: z.enum(["NF4", "None"]),
  question: text(1000).describe("What the base shall learn to answer."),
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

/** Input of `adapter-loader stage`: puts a base model into a directory and prints its identity. */
export const stageJob = z.object({
  base: z.object({
    huggingFace: z.object({ repository: text(200), revision: text(40) }).optional(),
    oci: artifactReference.optional(),
    pvc: z.object({ path: text(500).describe("Directory of the model in the mounted volume.") }).optional(),
  }),
  target: text(200).describe("Directory to fill."),
  expectedDigest: digest().optional().describe("Identity that the files must have, once it is known."),
  registry: registry.optional(),
});
export type StageJob = z.infer<typeof stageJob>;
