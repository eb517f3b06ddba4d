import { type FakeLog, FakePower, type FakeRunner, verified } from "@rune/clients/testing/fakes";
import { type AgentJob, agentJob } from "@rune/crds/contracts/agent";
import type { Isolation } from "@rune/crds/fields/isolation";
import type { LogLine } from "./log-lines.ts";
import type { World } from "./world.ts";

/** A model that answers the k-th question with the k-th list of texts, and later ones with the last list. */
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

export function jobOf(changes: Partial<AgentJob> = {}): AgentJob {
  return agentJob.parse({
    owner: { kind: "AgentSession", namespace: "n", name: "s", uid: "uid" },
    epoch: 1,
    task: { id: "t", description: "Write solve.", tests: "assert solve(1) == 1", entryPoint: "solve", stub: "def solve(x):\n" },
    model: { url: "http://model/v1", base: "base", name: "base", maxModelLength: 4096 },
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
  /** why the tests can't be used */
  unusable?: string;
  /** what the agent's own log says */
  lines?: LogLine[];
};

/** One process's view of the fakes. */
export function fakeWorld(
  job: AgentJob,
  { log, runner, inference, power = new FakePower(), now = () => new Date(0), isolation = verified, unusable = "", lines = [] }: Fakes,
): World {
  const write = log.writer();
  return {
    job,
    now,
    append: async (record) => power.across(() => write(record)),
    ask: async ({ messages }) => {
      const prompt = messages.map(({ content }) => content).join("\n");
      const texts = power.across(() => inference.ask(prompt));
      return { texts, finishReasons: texts.map(() => "stop"), usage: { promptTokens: 7, completionTokens: 9 } };
    },
    execute: async ({ id, program }) => power.across(() => runner.execute(id, program)),
    tryTests: async () => unusable,
    log: (line) => void lines.push(line),
    prove: async () => {
      power.boundary();
      return isolation;
    },
  };
}
