import type { ProbeTargets } from "@rune/crds/contracts/pod";
import { type ExecuteRequest, executeAnswer, refusalAnswer, runnerPath, type TestsRequest, testsAnswer } from "@rune/crds/contracts/runner";
import type { Execution } from "@rune/crds/contracts/session-log";
import { type Isolation, isolation } from "@rune/crds/fields/isolation";
import type { Dispatcher } from "undici";
import type { z } from "zod";
import { type Clock, systemClock } from "../clock.ts";
import { exchange, type HttpAnswer } from "../http/http.ts";
import { parseJSON } from "../http/json.ts";
import { retry, Transient } from "../http/retry.ts";

/** The sandbox is gone or unresponsive; what ran in it is lost. */
export class RunnerGone extends Error {
  override readonly name = "RunnerGone";
}

/** The sandbox refuses: a newer epoch, an id of another program, isolation that isn't proven, or a wrong token. */
export class RunnerRefused extends Error {
  override readonly name = "RunnerRefused";
  readonly reason: "StaleEpoch" | "IdReused" | "IsolationNotVerified" | "Denied" | "BadRequest";
  constructor(reason: RunnerRefused["reason"], message: string) {
    super(message);
    this.reason = reason;
  }
}

export type Executed = { execution: Execution; stdout: string; stderr: string };
export type RunnerOptions = { url: string; token: string; clock?: Clock; dispatcher?: Dispatcher; signal?: AbortSignal };

/** Times that a program may be lost with its sandbox before it is no longer executed. */
export const mostLosses = 2;

/** The result of a program that was lost that often. */
export const lostTwice: Execution = {
  passed: false,
  outcome: "Error",
  error: "the sandbox ended twice while this program ran in it, so it was not run again; most often it took all memory of the sandbox",
  durationSeconds: 0,
};

const policy = { attempts: 8, firstWaitMilliseconds: 500, longestWaitMilliseconds: 10_000 };

/** Client of the program that executes untrusted code. Repeating a call is safe: results are stored by id. */
export class Runner {
  readonly #options: RunnerOptions;

  constructor(options: RunnerOptions) {
    this.#options = options;
  }

  /** Throws `RunnerGone` unless the runner is up. */
  async ping(): Promise<void> {
    await this.#call("GET", runnerPath.health, 5_000);
  }

  /** What the sandbox could and couldn't reach. */
  async probe(epoch: number, targets: ProbeTargets): Promise<Isolation> {
    return this.#parse(await this.#call("POST", runnerPath.probe, 120_000, { epoch, targets }), isolation);
  }

  /** Runs a program and then its tests, or gives the stored result of this id. */
  async execute(program: ExecuteRequest): Promise<Executed> {
    const answer = await this.#call("POST", runnerPath.execute, (program.timeoutSeconds + 30) * 1000, program);
    const { stdout, stderr, ...result } = this.#parse(answer, executeAnswer);
    return { execution: result, stdout, stderr };
  }

  /** Why no program can be judged by these tests, in one sentence; empty where nothing speaks against them. */
  async tryTests(tests: TestsRequest): Promise<string> {
    return this.#parse(await this.#call("POST", runnerPath.tests, 60_000, tests), testsAnswer).error;
  }

  async #call(method: "GET" | "POST", path: string, timeoutMilliseconds: number, body?: unknown): Promise<HttpAnswer> {
    const { url, token, dispatcher, signal, clock = systemClock } = this.#options;
    const attempt = () =>
      exchange({
        method,
        url: `${url.replace(/\/+$/, "")}${path}`,
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        timeoutMilliseconds,
        clock,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(dispatcher ? { dispatcher } : {}),
        ...(signal ? { signal } : {}),
      });
    try {
      return this.#accepted(await retry(attempt, { ...policy, ...(signal ? { signal } : {}) }, clock));
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      throw new RunnerGone(`the sandbox at ${url} doesn't answer: ${error.message}`, { cause: error });
    }
  }

  #accepted(answer: HttpAnswer): HttpAnswer {
    if (answer.status === 200) return answer;
    const said = refusalAnswer.safeParse(parseJSON(answer.body));
    const reason = said.success ? said.data.reason : undefined;
    const text = (said.success ? said.data.message : undefined) ?? answer.body.toString("utf8").slice(0, 300);
    throw new RunnerRefused(
      refusalReason(answer.status, reason),
      `the sandbox at ${this.#options.url} refused (${answer.status}): ${text}`,
    );
  }

  #parse<T>(answer: HttpAnswer, schema: z.ZodType<T>): T {
    const parsed = schema.safeParse(parseJSON(answer.body));
    if (!parsed.success)
      throw new RunnerGone(`the sandbox at ${this.#options.url} answered something that is not understood`, { cause: parsed.error });
    return parsed.data;
  }
}

function refusalReason(status: number, reason: string | undefined): RunnerRefused["reason"] {
  if (status === 401 || status === 403) return "Denied";
  if (status === 412) return "IsolationNotVerified";
  if (status === 409) return reason === "IdReused" ? "IdReused" : "StaleEpoch";
  return "BadRequest";
}
