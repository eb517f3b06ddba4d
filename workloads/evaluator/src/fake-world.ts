import { FakeLog, FakePower, FakeRunner, verified } from "@rune/clients/testing/fakes";
import { type EvaluatorJob, evaluatorJob } from "@rune/crds/contracts/evaluator";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import type { Isolation } from "@rune/crds/fields/isolation";
import type { z } from "zod";
import { Progress } from "./progress.ts";
import type { World } from "./world.ts";

const digest = `sha256:${"a".repeat(64)}`;
const nats = { url: "nats://n", credentialsFile: "/c", stream: "S", subject: "rune.evaluation.uid" };
const targets = { canary: "c:1", dns: "d:1", modelServer: "m:1", apiServer: "a:1", node: "n:1" };

export function jobOf(changes: Partial<z.input<typeof evaluatorJob>> = {}): EvaluatorJob {
  return evaluatorJob.parse({
    owner: { kind: "Evaluation", namespace: "n", name: "memory-helps", uid: "uid" },
    epoch: 1,
    active: ["base"],
    claimed: ["tessera-0123456789abcdef"],
    arms: [
      { name: "base", model: { url: "http://m/v1", base: "qwen", name: "qwen" }, adapters: [] },
      {
        name: "memory",
        model: { url: "http://m/v1", base: "qwen", name: "tessera-0123456789abcdef" },
        adapterDigest: digest,
        adapters: [{ name: "tessera-0123456789abcdef", repository: "rune/n/adapters", digest, generation: 0 }],
      },
    ],
    taskSet: { repository: "rune/n/tasks", digest, part: "All" },
    seenTasks: "Refuse",
    look: { number: 1, of: 1 },
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

/** What survives a process: the log, one sandbox's results by id, and how often the model was called. */
export class FakeOutside {
  readonly log = new FakeLog();
  readonly runner = new FakeRunner();
  asked = 0;

  get records(): LogRecord[] {
    return this.log.records;
  }
}

export type Fakes = {
  outside: FakeOutside;
  power?: FakePower;
  now?: () => Date;
  isolation?: Isolation;
  unusable?: Readonly<Record<string, string>>;
};

/**
 * One process's view. The model with memory solves all but tasks over `seal`; each question gets different wrong
 * programs.
 */
export function fakeWorld(job: EvaluatorJob, { outside, power = new FakePower(), now, isolation = verified, unusable = {} }: Fakes): World {
  const write = outside.log.writer();
  let seconds = 0;
  return {
    job,
    tasks,
    ledger: new Progress(outside.records),
    now: now ?? (() => new Date(1000 * seconds)),
    append: async (record) => power.across(() => write(record)),
    contextFor: () => ({ text: "", trajectories: 0 }),
    ask: async (arm, { messages, n }) => {
      const texts = power.across(() => {
        outside.asked += 1;
        seconds += 2;
        const solves = arm.name === "memory" && !messages.some(({ content }) => content.includes("seal"));
        return [solves ? "    right" : "    wrong", "    wrong", `    wrong ${outside.asked}`, solves ? "    right" : "    wrong"];
      });
      return { texts: texts.slice(0, n), finishReasons: texts.map(() => "stop"), usage: { promptTokens: 3, completionTokens: 4 } };
    },
    execute: async ({ id, program }) => power.across(() => outside.runner.execute(id, program)),
    tryTests: async ({ id }) => unusable[id] ?? "",
    prove: async () => isolation,
  };
}
