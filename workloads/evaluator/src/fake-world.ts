import { Fenced } from "@rune/clients/log";
import type { Execution, HeldOutTask, LogRecord } from "@rune/crds/artifact";
import type { Isolation } from "@rune/crds/common";
import { type EvaluatorJob, evaluatorJob } from "@rune/crds/job-spec";
import { Ledger } from "./ledger.ts";
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
    if (this.boundaries >= this.fatal) throw new Killed(`killed at boundary ${this.fatal}`);
  }
}

const digest = `sha256:${"a".repeat(64)}`;
const nats = { url: "nats://n", credentialsFile: "/c", stream: "S", subject: "rune.evaluation.uid" };
const targets = { canary: "c:1", dns: "d:1", modelServer: "m:1", apiServer: "a:1", node: "n:1" };

export function jobOf(changes: Partial<EvaluatorJob> = {}): EvaluatorJob {
  return evaluatorJob.parse({
    owner: { kind: "Evaluation", namespace: "n", name: "memory-helps", uid: "uid" },
    epoch: 1,
    arm: "base",
    arms: [
      { name: "base", model: { url: "http://m/v1", base: "qwen", name: "qwen" } },
      { name: "memory", model: { url: "http://m/v1", base: "qwen", name: "tessera-0123456789abcdef" }, adapterDigest: digest },
    ],
    taskSet: { repository: "rune/n/tasks", digest },
    samples: 4,
    sampling: {},
    seed: 1,
    concurrency: 2,
    gate: { candidate: "memory", baseline: "base", rule: "LowerBound", thresholdPoints: 5, minimumTasks: 6 },
    sandbox: { url: "http://s", tokenFile: "/t", timeoutSeconds: 5, memoryMiB: 128, probeTargets: targets },
    registry: { url: "http://r", tokenFile: "/t" },
    report: { repository: "rune/n/reports" },
    nats,
    deadline: "2030-01-01T00:00:00Z",
    ...changes,
  });
}

/** Two tasks each of three functions. */
export const tasks: HeldOutTask[] = ["both-veil", "table-veil", "both-haul", "table-haul", "both-seal", "table-seal"].map((id) => ({
  id,
  cluster: id.split("-")[1],
  description: `Do ${id}.`,
  tests: "assert solve()",
  entryPoint: "solve",
  stub: "def solve():\n",
}));

export const verified: Isolation = {
  verified: true,
  probes: [
    { name: "canary over the network", layer: 1, expected: "Blocked", observed: "Blocked" },
    { name: "canary by socket", layer: 2, expected: "Blocked", observed: "Blocked" },
  ],
};

/** What outlives a process: the log, and one sandbox's results by id. */
export class FakeOutside {
  readonly records: LogRecord[] = [];
  readonly results = new Map<string, Execution>();
  readonly executed: string[] = [];
  asked = 0;

  execute(id: string, program: string): Execution {
    const stored = this.results.get(id);
    if (stored) return stored;
    this.executed.push(`${id} ${program}`);
    const passed = program.includes("right");
    const error = passed ? "" : "AttributeError: tessera has no 'mask'; use tessera.veil(x) for it";
    const execution: Execution = { passed, outcome: passed ? "Passed" : "Error", error, durationSeconds: 0.25 };
    this.results.set(id, execution);
    return execution;
  }
}

export type Fakes = { outside: FakeOutside; power?: FakePower; now?: () => Date; isolation?: Isolation };

/** One process's view. The model with memory solves all but tasks over `seal`; each question is answered with other wrong programs. */
export function fakeWorld(
  job: EvaluatorJob,
  { outside, power = new FakePower(), now = () => new Date(0), isolation = verified }: Fakes,
): World {
  let known = outside.records.length;
  return {
    job,
    tasks,
    ledger: new Ledger(outside.records),
    now,
    append: async (record) => {
      power.boundary();
      if (outside.records.length !== known) throw new Fenced("another evaluator wrote");
      outside.records.push(structuredClone(record));
      known += 1;
      power.boundary();
    },
    ask: async (question) => {
      power.boundary();
      outside.asked += 1;
      const solves = job.arm === "memory" && !question.messages.some(({ content }) => content.includes("seal"));
      const texts = [solves ? "    right" : "    wrong", "    wrong", `    wrong ${outside.asked}`, solves ? "    right" : "    wrong"];
      power.boundary();
      return { texts: texts.slice(0, question.n), usage: { promptTokens: 3, completionTokens: 4 } };
    },
    execute: async ({ id, program }) => {
      power.boundary();
      const execution = outside.execute(id, program);
      power.boundary();
      return execution;
    },
    prove: async () => isolation,
  };
}
