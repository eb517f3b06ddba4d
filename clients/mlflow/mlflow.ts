import type { Dispatcher } from "undici";
import { z } from "zod";
import { type Clock, systemClock } from "../clock.ts";
import { exchange, type HttpAnswer } from "../http/http.ts";
import { parseJSON } from "../http/json.ts";
import { retry, Transient } from "../http/retry.ts";

/**
 * The tracking server is unreachable or refused the call. The caller decides whether it matters; no job fails for it.
 */
export class MlflowUnavailable extends Error {
  override readonly name = "MlflowUnavailable";
}

export type MlflowRun = { runID: string; experimentID: string };
export type RunStatus = "FINISHED" | "FAILED" | "KILLED";

const experiment = z.object({ experiment: z.object({ experiment_id: z.string(), lifecycle_stage: z.string().optional() }) });
const newExperiment = z.object({ experiment_id: z.string() });
const newRun = z.object({ run: z.object({ info: z.object({ run_id: z.string() }) }) });
const foundRuns = z.object({ runs: z.array(z.object({ info: z.object({ run_id: z.string() }) })).optional() });
const failure = z.object({ error_code: z.string(), message: z.string().optional() });

/** Limits of the server per request. */
const most = { params: 100, tags: 100, metrics: 1000, paramLength: 6000, tagLength: 8000 };

const attempts = 3;

/** The calls of MLflow's REST API 2.0 that Rune uses. */
export class Mlflow {
  readonly #url: string;
  readonly #clock: Clock;
  readonly #dispatcher: Dispatcher | undefined;

  constructor(options: { url: string; clock?: Clock; dispatcher?: Dispatcher }) {
    this.#url = `${options.url.replace(/\/+$/, "")}/api/2.0/mlflow`;
    this.#clock = options.clock ?? systemClock;
    this.#dispatcher = options.dispatcher;
  }

  /**
   * Starts a run, and creates the experiment if it doesn't exist. A run that was created although its answer was lost is found by `tags`, so
   * that there is no second one; without tags a lost answer is an error.
   */
  async startRun(input: {
    experiment: string;
    name: string;
    params?: Record<string, string>;
    tags?: Record<string, string>;
  }): Promise<MlflowRun> {
    const experimentID = await this.#experiment(input.experiment);
    const tags = { "mlflow.runName": input.name, ...input.tags };
    const body = { experiment_id: experimentID, run_name: input.name, start_time: this.#clock.now(), tags: pairs(tags, most.tagLength) };
    const create = async (number: number) => {
      const earlier = number > 1 ? await this.#tagged(experimentID, input.tags ?? {}) : null;
      if (earlier) return earlier;
      return this.#parse(await this.#once("POST", "runs/create", body), newRun, "runs/create").run.info.run_id;
    };
    const runID = await this.#retrying(create, input.tags ? attempts : 1);
    const run = { runID, experimentID };
    if (input.params) await this.logParams(run, input.params);
    return run;
  }

  /** The run of an experiment with this tag, or null, so that a second attempt can continue the first one's run. */
  async findRun(input: { experiment: string; tag: string; value: string }): Promise<MlflowRun | null> {
    const experimentID = await this.#experiment(input.experiment);
    const runID = await this.#tagged(experimentID, { [input.tag]: input.value });
    return runID ? { runID, experimentID } : null;
  }

  async logParams(run: MlflowRun, params: Record<string, string>): Promise<void> {
    for (const part of parts(pairs(params, most.paramLength), most.params))
      await this.#post("runs/log-batch", { run_id: run.runID, params: part });
  }

  /** Non-finite values are left out, because the server would refuse the whole batch. */
  async logMetrics(run: MlflowRun, metrics: Record<string, number>, step = 0): Promise<void> {
    const timestamp = this.#clock.now();
    const values = Object.entries(metrics)
      .filter(([, value]) => Number.isFinite(value))
      .map(([key, value]) => ({ key, value, timestamp, step }));
    for (const part of parts(values, most.metrics)) await this.#post("runs/log-batch", { run_id: run.runID, metrics: part });
  }

  /** Sets the description at the top of the run's page. */
  async note(run: MlflowRun, text: string): Promise<void> {
    await this.tag(run, "mlflow.note.content", text);
  }

  /** Sets a tag, replacing its previous value. */
  async tag(run: MlflowRun, key: string, value: string): Promise<void> {
    await this.#post("runs/set-tag", { run_id: run.runID, key, value: value.slice(0, most.tagLength) });
  }

  async endRun(run: MlflowRun, status: RunStatus = "FINISHED"): Promise<void> {
    await this.#post("runs/update", { run_id: run.runID, status, end_time: this.#clock.now() });
  }

  /** The newest run with all of these tags. */
  async #tagged(experimentID: string, tags: Record<string, string>): Promise<string | null> {
    const filter = pairs(tags, most.tagLength)
      .map(({ key, value }) => `tags.\`${key}\` = '${value.replaceAll("'", "\\'")}'`)
      .join(" and ");
    const found = await this.#call("POST", "runs/search", foundRuns, { experiment_ids: [experimentID], filter, max_results: 1 });
    return found.runs?.[0]?.info.run_id ?? null;
  }

  async #experiment(name: string): Promise<string> {
    const known = await this.#find(name);
    if (known) return known;
    try {
      return (await this.#call("POST", "experiments/create", newExperiment, { name })).experiment_id;
    } catch (error) {
      const raced = await this.#find(name);
      if (raced) return raced;
      throw error;
    }
  }

  async #find(name: string): Promise<string | null> {
    const answer = await this.#send("GET", `experiments/get-by-name?experiment_name=${encodeURIComponent(name)}`);
    if (answer.status === 404) return null;
    const found = this.#parse(answer, experiment, "experiments/get-by-name").experiment;
    if (found.lifecycle_stage === "deleted")
      throw new MlflowUnavailable(`the MLflow experiment ${name} is deleted; restore it, or name another`);
    return found.experiment_id;
  }

  async #post(path: string, body: unknown): Promise<void> {
    await this.#call("POST", path, z.unknown(), body);
  }

  async #call<T>(method: "GET" | "POST", path: string, schema: z.ZodType<T>, body?: unknown): Promise<T> {
    return this.#parse(await this.#send(method, path, body), schema, path);
  }

  #parse<T>(answer: HttpAnswer, schema: z.ZodType<T>, path: string): T {
    const document = parseJSON(answer.body);
    if (answer.status !== 200) {
      const reason = failure.safeParse(document);
      const text = reason.success ? `${reason.data.error_code}: ${reason.data.message ?? ""}` : answer.body.toString("utf8").slice(0, 200);
      throw new MlflowUnavailable(`MLflow answered ${answer.status} to ${path}: ${text}`);
    }
    const parsed = schema.safeParse(document);
    if (!parsed.success)
      throw new MlflowUnavailable(`MLflow's answer to ${path} is not understood; is ${this.#url} MLflow's tracking server?`);
    return parsed.data;
  }

  async #send(method: "GET" | "POST", path: string, body?: unknown): Promise<HttpAnswer> {
    return await this.#retrying(() => this.#once(method, path, body), attempts);
  }

  async #once(method: "GET" | "POST", path: string, body?: unknown): Promise<HttpAnswer> {
    return await exchange({
      method,
      url: `${this.#url}/${path}`,
      headers: { "content-type": "application/json" },
      timeoutMilliseconds: 10_000,
      clock: this.#clock,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      ...(this.#dispatcher ? { dispatcher: this.#dispatcher } : {}),
    });
  }

  async #retrying<T>(attempt: (number: number) => Promise<T>, most: number): Promise<T> {
    try {
      return await retry(attempt, { attempts: most, firstWaitMilliseconds: 200, longestWaitMilliseconds: 2_000 }, this.#clock);
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      throw new MlflowUnavailable(`MLflow could not be reached: ${error.message}`, { cause: error });
    }
  }
}

function pairs(values: Record<string, string>, longest: number): { key: string; value: string }[] {
  return Object.entries(values).map(([key, value]) => ({ key, value: value.slice(0, longest) }));
}

function parts<T>(values: T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(values.length / size) }, (_, part) => values.slice(part * size, (part + 1) * size));
}
