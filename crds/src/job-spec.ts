import { z } from "zod";
import { task } from "./agent-session.ts";
import { artifactReference, sampling, scope } from "./common.ts";
import { digest, repository, text, whole } from "./field.ts";
import { sft } from "./training-run.ts";

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

/** Input of the evaluator: one epoch of one evaluation, which is one arm. */
export const evaluatorJob = z.object({
  owner,
  epoch: whole(1, 1000000),
  arm: text(30).describe("Name of the arm that this pod works on."),
  arms: z
    .array(z.object({ name: text(30), model, adapterDigest: digest().optional() }))
    .min(1)
    .max(8),
  taskSet: z.object({ ...artifactReference.shape, maxTasks: whole(1, 100000).optional() }),
  samples: whole(1, 100),
  sampling,
  seed: whole(0, 2147483647),
  concurrency: whole(1, 64),
  gate: z
    .object({
      candidate: text(30),
      baseline: text(30),
      rule: z.enum(["LowerBound", "PointEstimate"]),
      thresholdPoints: whole(-100, 100),
      minimumTasks: whole(1, 100000),
    })
    .optional(),
  sandbox: resolvedSandbox,
  registry,
  report: z.object({ repository: repository() }),
  nats,
  mlflow,
  deadline: z.iso.datetime(),
});
export type EvaluatorJob = z.infer<typeof evaluatorJob>;

/** Input of the trainer. */
export const trainerJob = z.object({
  owner,
  attempt: whole(1, 1000),
  method: z.enum(["sft"]),
  sft: sft.optional(),
  base: z.object({
    path: text(500).describe("Directory that holds the staged base model, read-only."),
    name: text(200).describe("Name of the base model."),
    digest: digest().describe("Identity of the base model's files."),
  }),
  corpus: z.object({
    trajectories: z.array(artifactReference).max(10000),
    include: z.array(z.enum(["Programs", "Notes", "Corrections"])).min(1),
    digest: digest(),
  }),
  output: z.object({
    repository: repository(),
    scope,
    generation: whole(0, 1000000),
    parents: z.array(z.object({ name: text(63), digest: digest() })),
  }),
  checkpoint: z.object({ directory: text(200), everySteps: whole(1, 100000) }),
  registry,
  nats: nats.optional().describe("Where progress is published, with core NATS."),
  mlflow,
});
export type TrainerJob = z.infer<typeof trainerJob>;

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
