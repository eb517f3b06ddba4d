import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { statusBase } from "../fields/condition.ts";
import { decimal, digest, objectName, serverName, text, time, whole } from "../fields/field.ts";
import { isolationStatus } from "../fields/isolation.ts";
import { lifecycle } from "../fields/lifecycle.ts";
import { losses } from "../fields/losses.ts";
import { requires } from "../fields/requires.ts";
import { sampling } from "../fields/sampling.ts";
import { sandbox, sandboxStatus } from "../fields/sandbox.ts";
import { scope } from "../fields/scope.ts";
import { sessionOutcome } from "../fields/session-outcome.ts";
import { ConditionType } from "../words/conditions.ts";
import { columns, conditionPath, defineKind, type ObjectOf } from "./kind.ts";
import { hypernetworkReference, isOneHypernetwork, sft } from "./methods.ts";

export const task = z
  .object({
    id: text(100).min(1).describe("Identifier of the task, by which it is also assigned to a part of a task set."),
    description: text(16384).min(1).describe("What the agent is asked to do."),
    tests: text(65536)
      .min(1)
      .describe(
        "Python source of the tests, which call the entry point and assert. They run in a process of their own, which the program can't see.",
      ),
    entryPoint: z
      .string()
      .max(100)
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
      .describe("Name of the function that the program must define and the tests call."),
    stub: text(4096)
      .optional()
      .describe("Beginning of the program that is given to the model, such as imports and the function's signature."),
    system: text(4096).optional().describe("System message of the prompt; a short general one when unset."),
  })
  .describe("Task to write a program for.");
export type Task = z.infer<typeof task>;

const spec = z.object({
  task,
  scope,
  serverRef: z
    .object({ name: serverName().describe("Name of the ModelServer.") })
    .describe("ModelServer that answers the agent's prompts."),
  adapter: z
    .object({
      policy: z
        .enum(["Auto", "None", "Fixed"])
        .default("Auto")
        .describe(
          "How the adapter is chosen. Auto picks the most relevant one, or none; None uses the base model; Fixed uses the one in `name`.",
        ),
      name: objectName(52).optional().describe("Name of the Adapter; set with policy Fixed, and only with it."),
    })
    .default({ policy: "Auto" })
    .describe("Adapter that the agent works with."),
  attempts: whole(1, 50)
    .default(4)
    .describe("Maximum number of rounds, each of which generates programs, executes them and reflects on their errors."),
  candidates: whole(1, 16).default(3).describe("Number of programs that are sampled per round."),
  reflection: z
    .enum(["Notes", "History"])
    .default("Notes")
    .describe("What a round knows of earlier ones. Notes: a fresh prompt with notes on their errors. History: the conversation so far."),
  sampling: sampling.default({}),
  sandbox: sandbox.default({}),
  learn: z
    .object({
      policy: z
        .enum(["None", "WhenSolved", "Generate"])
        .default("None")
        .describe(
          "Whether a TrainingRun on this session alone starts once it is solved. WhenSolved trains an adapter; Generate makes one by a forward pass of a hypernetwork.",
        ),
      sft: sft.optional(),
      hypernetwork: hypernetworkReference
        .optional()
        .describe(
          "Hypernetwork that generates the adapter, of the same base model as the server; set with policy Generate, and only with it.",
        ),
    })
    .default({ policy: "None" })
    .describe("Learning from this session alone. To learn from many sessions together, create a TrainingRun."),
  deadlineSeconds: whole(30, 604800).default(3600).describe("Maximum duration from the first start to the end, in seconds."),
  requires,
  ...lifecycle,
});

const status = z.object({
  ...statusBase,
  epoch: whole(0, 1000000)
    .optional()
    .describe(
      "Number of the current epoch, which has one agent pod and one sandbox. It is raised before each new agent pod, and fences older ones.",
    ),
  adapter: z
    .object({
      name: objectName(52).optional().describe("Name of the chosen Adapter; unset if none was chosen."),
      digest: digest().optional().describe("Manifest digest of the chosen Adapter."),
      reason: text(63).describe("Reason for the choice, as a CamelCase word."),
      message: text(1024).describe("Human-readable explanation of the choice."),
      considered: z
        .array(
          z.object({
            name: objectName(52).describe("Name of the Adapter."),
            score: decimal().describe(
              "Relevance of the Adapter: 1 for the same project, 2 for the domain, 3 for the task, 4 more for a champion, plus the lower bound of its Pass@1.",
            ),
          }),
        )
        .max(20)
        .optional()
        .describe("Best adapters that could have been chosen, best first."),
    })
    .optional()
    .describe("Chosen adapter, fixed and claimed from the ModelServer before any pod exists."),
  sandbox: sandboxStatus.optional(),
  losses: losses.optional(),
  isolation: isolationStatus.optional(),
  rounds: whole(0, 1000).optional().describe("Number of rounds that have ended."),
  programs: whole(0, 100000).optional().describe("Number of programs that were executed."),
  lastError: text(300)
    .optional()
    .describe("Last line of the error of the newest program that failed, cut at the end. It stays when a later program passes."),
  outcome: sessionOutcome.optional().describe("How the work ended; Exhausted means that all rounds ended without a solution."),
  startTime: time().optional().describe("Time at which the first epoch began. The deadline counts from here and excludes earlier waiting."),
  endTime: time().optional().describe("Time at which the work ended."),
  log: z
    .object({
      subject: text(253).describe("NATS subject of the log."),
      lastSequence: whole(0, Number.MAX_SAFE_INTEGER).describe("JetStream sequence number of the log's last record."),
    })
    .optional()
    .describe("Log of the session in NATS JetStream."),
  trajectory: artifactReference.optional().describe("Artifact with the sealed trajectory: every record of the log."),
  trainingRun: objectName()
    .optional()
    .describe("Name of the TrainingRun that `spec.learn` starts. The condition Learnt reports its result."),
});

export const agentSession = defineKind({
  kind: "AgentSession",
  plural: "agentsessions",
  singular: "agentsession",
  shortNames: ["ras"],
  description:
    "One agent at work on one coding task, in rounds of generating, executing and reflecting. Its trajectory is stored however the session ends.",
  nameMaxLength: 45,
  spec,
  status,
  mutable: ["suspend", "ttlSecondsAfterFinished"],
  frozenBecause: "an AgentSession is the record of one piece of work; create a new object instead",
  rules: [
    {
      rule: "(self.spec.adapter.policy == 'Fixed') == has(self.spec.adapter.name)",
      field: ".spec.adapter.name",
      message: "spec.adapter.name goes with policy Fixed, and only with it",
    },
    {
      rule: "self.spec.task.tests.contains('assert') || self.spec.task.tests.contains('raise')",
      field: ".spec.task.tests",
      message: "spec.task.tests has no assertion, so it could never fail; write tests that assert what the program must do",
    },
    {
      rule: "(self.spec.learn.policy == 'Generate') == has(self.spec.learn.hypernetwork)",
      field: ".spec.learn.hypernetwork",
      message: "spec.learn.hypernetwork goes with policy Generate, and only with it",
    },
    {
      rule: `!has(self.spec.learn.hypernetwork) || ${isOneHypernetwork("self.spec.learn.hypernetwork")}`,
      field: ".spec.learn.hypernetwork",
      message: "spec.learn.hypernetwork needs either run, or repository and digest",
    },
    {
      rule: "self.spec.learn.policy != 'Generate' || !has(self.spec.learn.sft)",
      field: ".spec.learn.sft",
      message: "spec.learn.sft says how to train, and policy Generate trains nothing; leave it out, or take policy WhenSolved",
    },
  ],
  columns: columns(
    { name: "Task", type: "string", jsonPath: ".spec.task.id", description: "Identifier of the task." },
    {
      name: "Solved",
      type: "string",
      jsonPath: conditionPath(ConditionType.Solved, "status"),
      description: "Whether a program passed the tests.",
    },
    { name: "Rounds", type: "integer", jsonPath: ".status.rounds", description: "Number of rounds that have ended." },
    { name: "Adapter", type: "string", jsonPath: ".status.adapter.name", description: "Name of the chosen Adapter." },
    {
      name: "Error",
      type: "string",
      jsonPath: ".status.lastError",
      description: "Last line of the error of the newest program that failed.",
      priority: 1,
    },
    {
      name: "Learnt",
      type: "string",
      jsonPath: conditionPath(ConditionType.Learnt, "status"),
      description: "Whether the TrainingRun of `spec.learn` made an adapter.",
      priority: 1,
    },
  ),
});
export type AgentSession = ObjectOf<typeof agentSession>;
