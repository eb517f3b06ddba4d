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
    id: text(100).min(1).describe("Identifier of the task, for people and for holding tasks out."),
    description: text(16384).min(1).describe("What the agent is asked to do."),
    tests: text(65536)
      .min(1)
      .describe(
        "Python source of the tests. It calls the entry point and asserts; it runs after the program, where the program can't see it.",
      ),
    entryPoint: z
      .string()
      .max(100)
      .regex(/^[A-Za-z_][A-Za-z0-9_]*$/)
      .describe("Name of the function that the program must define and the tests call."),
    stub: text(4096)
      .optional()
      .describe("Beginning of the program that is given to the model, such as imports and the function's signature."),
    system: text(4096).optional().describe("System message; a short general one when unset."),
  })
  .describe("The task.");
export type Task = z.infer<typeof task>;

const spec = z.object({
  task,
  scope,
  serverRef: z.object({ name: serverName().describe("Name of the ModelServer.") }).describe("The ModelServer that answers."),
  adapter: z
    .object({
      policy: z
        .enum(["Auto", "None", "Fixed"])
        .default("Auto")
        .describe("Auto picks the most relevant adapter or none; None uses the base; Fixed uses the named one."),
      name: objectName(52).optional().describe("The Adapter, with policy Fixed."),
    })
    .default({ policy: "Auto" })
    .describe("Which memory the agent works with."),
  attempts: whole(1, 50).default(4).describe("Most rounds of generate, execute and reflect."),
  candidates: whole(1, 16).default(3).describe("Programs that are sampled in one round."),
  reflection: z
    .enum(["Notes", "History"])
    .default("Notes")
    .describe("What a new round knows of earlier ones: a fresh prompt with what their errors taught, or the whole history."),
  sampling: sampling.default({}),
  sandbox: sandbox.default({}),
  learn: z
    .object({
      policy: z
        .enum(["None", "WhenSolved", "Generate"])
        .default("None")
        .describe(
          "Whether this session alone starts a TrainingRun when it ends solved: WhenSolved trains an adapter, Generate has a hypernetwork say it in one forward pass.",
        ),
      sft: sft.optional(),
      hypernetwork: hypernetworkReference
        .optional()
        .describe(
          "What generates the adapter, with policy Generate: a hypernetwork of the server's base, by run, or by repository and digest.",
        ),
    })
    .default({ policy: "None" })
    .describe("What is learnt from this session by itself; many sessions are usually learnt from together by one TrainingRun."),
  deadlineSeconds: whole(30, 604800).default(3600).describe("Longest time from first start to end."),
  requires,
  ...lifecycle,
});

const status = z.object({
  ...statusBase,
  epoch: whole(0, 1000000).optional().describe("Raised before each agent pod is created; older agents are fenced by it."),
  adapter: z
    .object({
      name: objectName(52).optional().describe("The Adapter that was picked; unset when none."),
      digest: digest().optional().describe("Its manifest digest."),
      reason: text(63).describe("Why this one, or why none."),
      message: text(1024).describe("The same in a sentence."),
      considered: z
        .array(z.object({ name: objectName(52).describe("An Adapter."), score: decimal().describe("Its relevance.") }))
        .max(20)
        .optional()
        .describe("Adapters that were considered, best first."),
    })
    .optional()
    .describe("The frozen choice of memory, claimed from the ModelServer before any pod exists."),
  sandbox: sandboxStatus.optional(),
  losses: losses.optional(),
  isolation: isolationStatus.optional(),
  rounds: whole(0, 1000).optional().describe("Rounds that ended."),
  programs: whole(0, 100000).optional().describe("Programs that were executed."),
  lastError: text(300)
    .optional()
    .describe(
      "What the newest program that failed raised, in one line: the last one of its error, cut at the end. Programs and prompts stand nowhere in status.",
    ),
  outcome: sessionOutcome.optional().describe("How the work ended."),
  startTime: time().optional().describe("When the first epoch began; the deadline counts from here, not from waiting for a turn."),
  endTime: time().optional().describe("When the work ended."),
  log: z
    .object({
      subject: text(253).describe("Subject of the live log."),
      lastSequence: whole(0, Number.MAX_SAFE_INTEGER).describe("Stream sequence of its last record."),
    })
    .optional()
    .describe("The live log."),
  trajectory: artifactReference.optional().describe("The sealed trajectory: every record of the log, stored once."),
  trainingRun: objectName()
    .optional()
    .describe("The TrainingRun that this session starts by itself. The condition Learnt says what came of it."),
});

export const agentSession = defineKind({
  kind: "AgentSession",
  plural: "agentsessions",
  singular: "agentsession",
  shortNames: ["ras"],
  description: "One agent at work on one task: generate, execute, reflect, save. Its trajectory is sealed on every ending.",
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
    { name: "Task", type: "string", jsonPath: ".spec.task.id", description: "Task." },
    {
      name: "Solved",
      type: "string",
      jsonPath: conditionPath(ConditionType.Solved, "status"),
      description: "Whether a program passed the tests.",
    },
    { name: "Rounds", type: "integer", jsonPath: ".status.rounds", description: "Rounds that ended." },
    { name: "Adapter", type: "string", jsonPath: ".status.adapter.name", description: "Memory that was used." },
    {
      name: "Error",
      type: "string",
      jsonPath: ".status.lastError",
      description: "What the newest program that failed raised.",
      priority: 1,
    },
    {
      name: "Learnt",
      type: "string",
      jsonPath: conditionPath(ConditionType.Learnt, "status"),
      description: "Whether an adapter came of what it starts by itself.",
      priority: 1,
    },
  ),
});
export type AgentSession = ObjectOf<typeof agentSession>;
