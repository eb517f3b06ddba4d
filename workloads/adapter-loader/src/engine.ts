import { type Clock, systemClock } from "@rune/clients/clock";
import { exchange, type HttpAnswer, type HttpRequest } from "@rune/clients/http/http";
import { parseJSON } from "@rune/clients/http/json";
import { Transient } from "@rune/clients/http/retry";
import { Agent, type Dispatcher } from "undici";
import { z } from "zod";

/** The engine doesn't respond: starting, restarting, hanging. */
export class EngineUnavailable extends Error {
  override readonly name = "EngineUnavailable";
  /** Connection refused: the process isn't there, rather than slow. */
  get gone(): boolean {
    const { cause } = (this.cause ?? {}) as { cause?: { code?: string } };
    return cause?.code === "ECONNREFUSED";
  }
}

/** The engine refused. */
export class EngineRefused extends Error {
  override readonly name = "EngineRefused";
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** `parent` is set for an adapter; its `root` is then the directory it was loaded from, the only evidence of what is loaded. */
export type ServedModel = { id: string; root: string | undefined; parent: string | undefined };
export type Vitals = { startTime: string | undefined; corruptedRequests: number; generatedTokens: number };
export type Text = { text: string; tokens: number };

const models = z.object({ data: z.array(z.object({ id: z.string(), root: z.string().nullish(), parent: z.string().nullish() })) });
const completion = z.object({
  choices: z.array(z.object({ text: z.string() })).min(1),
  usage: z.object({ completion_tokens: z.number() }).optional(),
});
/** Newer versions answer `{"error": {"message"}}`, older ones `{"message"}`, some paths plain text. */
const refusal = z.union([
  z.object({ error: z.object({ message: z.string() }) }).transform(({ error }) => error.message),
  z.object({ message: z.string() }).transform(({ message }) => message),
  z.object({ detail: z.string() }).transform(({ detail }) => detail),
]);

const timeouts = { look: 3_000, load: 60_000 };

/**
 * Client of vLLM's HTTP API on localhost. Nothing is retried here: a second load after a rejected one can crash the
 * engine.
 */
export class Engine {
  readonly #url: string;
  readonly #clock: Clock;
  readonly #dispatcher: Dispatcher;

  constructor(options: { url: string; clock?: Clock; dispatcher?: Dispatcher }) {
    this.#url = options.url.replace(/\/+$/, "");
    this.#clock = options.clock ?? systemClock;
    // Connections aren't reused: one from before the engine's restart would fail the first call to the new engine.
    this.#dispatcher = options.dispatcher ?? new Agent({ pipelining: 0, connect: { timeout: 2_000 } });
  }

  async models(): Promise<ServedModel[]> {
    const answer = this.#accepted(await this.#send({ method: "GET", path: "/v1/models", timeout: timeouts.look }));
    const parsed = models.safeParse(parseJSON(answer.body));
    if (!parsed.success) throw new EngineUnavailable(`${this.#url}/v1/models answered something that is not a list of models`);
    return parsed.data.data.map(({ id, root, parent }) => ({ id, root: root ?? undefined, parent: parent ?? undefined }));
  }

  /** The start time of the engine's process, its count of corrupted answers, and its count of generated tokens. */
  async vitals(): Promise<Vitals> {
    const answer = this.#accepted(await this.#send({ method: "GET", path: "/metrics", timeout: timeouts.look }));
    return parseVitals(answer.body.toString("utf8"));
  }

  /** Whether its core and all its ranks are alive: `/health` returns 503 once the engine notices that they aren't. */
  async alive(): Promise<boolean> {
    return await this.#send({ method: "GET", path: "/health", timeout: timeouts.look }).then(
      ({ status }) => status === 200,
      () => false,
    );
  }

  /** Succeeds also when the engine already has this very directory under this name. */
  async load(name: string, directory: string): Promise<void> {
    try {
      this.#accepted(await this.#post("/v1/load_lora_adapter", { lora_name: name, lora_path: directory }));
    } catch (error) {
      const again = error instanceof EngineRefused && error.status === 400 && /already been loaded/.test(error.message);
      if (!again) throw error;
      const loaded = (await this.models()).find((model) => model.id === name);
      if (loaded?.root !== directory) throw error;
    }
  }

  /** Succeeds also when the engine doesn't have the name. */
  async unload(name: string): Promise<void> {
    const answer = await this.#post("/v1/unload_lora_adapter", { lora_name: name });
    if (answer.status === 404 || (answer.status === 400 && /not found|cannot be found|no such/i.test(reasonOf(answer)))) return;
    this.#accepted(answer);
  }

  /** Greedy completion of a raw prompt. */
  async complete(model: string, prompt: string, maxTokens: number, timeout: number): Promise<Text> {
    const body = JSON.stringify({ model, prompt, max_tokens: maxTokens, temperature: 0 });
    const answer = this.#accepted(await this.#send({ method: "POST", path: "/v1/completions", timeout, body }));
    const parsed = completion.safeParse(parseJSON(answer.body));
    if (!parsed.success) throw new EngineUnavailable(`${this.#url}/v1/completions answered something that is not a completion`);
    return { text: parsed.data.choices[0]?.text ?? "", tokens: parsed.data.usage?.completion_tokens ?? 0 };
  }

  async #post(path: string, body: unknown): Promise<HttpAnswer> {
    return await this.#send({ method: "POST", path, timeout: timeouts.load, body: JSON.stringify(body) });
  }

  async #send(input: { method: "GET" | "POST"; path: string; timeout: number; body?: string }): Promise<HttpAnswer> {
    const request: HttpRequest & { maxBytes: number } = {
      method: input.method,
      url: `${this.#url}${input.path}`,
      headers: { "content-type": "application/json" },
      timeoutMilliseconds: input.timeout,
      maxBytes: 16 * 1024 * 1024,
      clock: this.#clock,
      ...(input.body === undefined ? {} : { body: input.body }),
      dispatcher: this.#dispatcher,
    };
    try {
      return await exchange(request);
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      // The engine returns 500 for too large a rank and for truncated files: a refusal, with the reason in its message.
      if (error.status === 500) throw new EngineRefused(error.message, 500);
      throw new EngineUnavailable(error.message, { cause: error });
    }
  }

  #accepted(answer: HttpAnswer): HttpAnswer {
    if (answer.status === 200) return answer;
    throw new EngineRefused(`the engine answered ${answer.status}: ${reasonOf(answer)}`, answer.status);
  }
}

function reasonOf(answer: HttpAnswer): string {
  const parsed = refusal.safeParse(parseJSON(answer.body));
  return (parsed.success ? parsed.data : answer.body.toString("utf8").trim()).slice(0, 500);
}

/** From the text format of Prometheus. */
export function parseVitals(text: string): Vitals {
  const value = (name: string) => text.split("\n").filter((line) => line.startsWith(name) && /^[{ ]/.test(line.slice(name.length)));
  const last = (line: string) => line.trim().split(" ").at(-1) ?? "";
  const started = value("process_start_time_seconds")[0];
  const sum = (name: string) => value(name).reduce((total, line) => total + (Number(last(line)) || 0), 0);
  return {
    startTime: started ? last(started) : undefined,
    corruptedRequests: sum("vllm:corrupted_requests_total"),
    generatedTokens: sum("vllm:generation_tokens_total"),
  };
}
