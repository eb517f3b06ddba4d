import { Fenced } from "@rune/clients/log";
import type { Execution, LogRecord } from "@rune/crds/artifact";
import type { Isolation } from "@rune/crds/common";
import { type AgentJob, agentJob } from "@rune/crds/job-spec";
import type { World } from "./world.ts";

/** The process died. */
export class Killed extends Error {}

/** Kills a process at its `fatal`-th boundary: each effect has one before it happens and one after, when only its answer is lost. */
export class FakePower {
  boundaries = 0;
  readonly fatal: number;
  constructor(fatal = Number.POSITIVE_INFINITY) {
    this.fatal = fatal;
  }
  boundary(): void {
    this.boundaries += 1;
    if (this.boundaries === this.fatal) throw new Killed(`killed at boundary ${this.fatal}`);
  }
}

/** A log that outlives every process; each writer knows how long the log was when it read it. */
export class FakeLog {
  readonly records: LogRecord[] = [];
}

/** A sandbox that keeps its results by id and says whether a program passed by its text. */
export class FakeRunner {
  readonly results = new Map<string, Execution>();
  readonly executed: string[] = [];
  execute(id: string, program: string): Execution {
    const stored = this.results.get(id);
    if (stored) return stored;
    this.executed.push(program);
    const passed = program.includes("right");
    const error = passed ? "" : `AttributeError: no 'x${this.executed.length}'; use lib.right(x) for it`;
    const execution: Execution = { passed, outcome: passed ? "Passed" : "Error", error, durationSeconds: 0.5 };
    this.results.set(id, execution);
    return execution;
  }
}

/** A model that answers the k-th question with the k-th list of texts, and the last list from then on. */
export class FakeInference {
  asked = 0;
  readonly prompts: string[] = [];
  readonly answers: string[][];
  constructor(answers: string[][]) {
    this.answers = answers;
  }
  ask(prompt: string): string[] {
    this.prompts.push(prompt);
    const texts = this.answers[Math.min(this.asked, this.answers.length - 1)] ?? [];
    this.asked += 1;
    return texts;
  }
}

export const verified: Isolation = {
  verified: true,
  probes: [
    { name: "canary over the network", layer: 1, expected: "Blocked", observed: "Blocked" },
    { name: "canary by socket", layer: 2, expected: "Blocked", observed: "Blocked" },
  ],
};

export function jobOf(changes: Partial<AgentJob> = {}): AgentJob {
  return agentJob.parse({
    owner: { kind: "AgentSession", namespace: "n", name: "s", uid: "uid" },
    epoch: 1,
    task: { id: "t", description: "Write solve.", tests: "assert solve(1) == 1", entryPoint: "solve", stub: "def solve(x):\n" },
    model: { url: "http://model/v1", base: "base", name: "base" },
    attempts: 3,
    candidates: 3,
    reflection: "Notes",
    sampling: {},
    sandbox: {
      url: "http://sandbox",
      tokenFile: "/t",
      timeoutSeconds: 5,
      memoryMiB: 128,
      probeTargets: { canary: "c:1", dns: "d:1", modelServer: "m:1", apiServer: "a:1", node: "n:1" },
    },
    nats: { url: "nats://n", credentialsFile: "/c", stream: "S", subject: "rune.session.uid" },
    deadline: "2030-01-01T00:00:00Z",
    ...changes,
  });
}

export type Fakes = {
  log: FakeLog;
  runner: FakeRunner;
  inference: FakeInference;
  power?: FakePower;
  now?: () => Date;
  isolation?: Isolation;
};

/** One process's view of the fakes. */
export function fakeWorld(
  job: AgentJob,
  { log, runner, inference, power = new FakePower(), now = () => new Date(0), isolation = verified }: Fakes,
): World {
  let known = log.records.length;
  return {
    job,
    now,
    append: async (record) => {
      power.boundary();
      if (log.records.length !== known) throw new Fenced("another agent wrote");
      log.records.push(structuredClone(record));
      known += 1;
      power.boundary();
    },
    ask: async (question) => {
      power.boundary();
      const texts = inference.ask(question.messages.map((message) => message.content).join("\n"));
      power.boundary();
      return { texts, usage: { promptTokens: 7, completionTokens: 9 } };
    },
    execute: async ({ id, program }) => {
      power.boundary();
      const execution = runner.execute(id, program);
      power.boundary();
      return execution;
    },
    prove: async () => {
      power.boundary();
      return isolation;
    },
  };
}
