import type { Sampling } from "@rune/crds/fields/sampling";
import type { Dispatcher } from "undici";
import { z } from "zod";
import { type Clock, systemClock } from "../clock.ts";
import { exchange } from "../http/http.ts";
import { parseJSON } from "../http/json.ts";
import { retry, Transient } from "../http/retry.ts";

/** The model server didn't answer well until the deadline. */
export class InferenceUnavailable extends Error {
  override readonly name = "InferenceUnavailable";
}

/** The model server refuses this request, and would again: unknown model, prompt too long, bad parameter. */
export class InferenceRefused extends Error {
  override readonly name = "InferenceRefused";
  readonly status: number;
  /** what the server said, or the beginning of it */
  readonly reason: string;
  constructor(message: string, status: number, reason = message) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

export type Message = { role: "system" | "user" | "assistant"; content: string };
export type Completion = {
  /** base URL that ends in `/v1` */
  url: string;
  model: string;
  messages: Message[];
  /** how many answers */
  n: number;
  sampling: Sampling;
  /** how the answer begins; it is not part of the texts that come back */
  prefill?: string;
  /** makes samples repeatable where the batch is the same; no promise between batches or engines */
  seed?: number;
  /** identifies the request in the server's log */
  requestID?: string;
  /** milliseconds since the epoch */
  deadline: number;
  signal?: AbortSignal;
  clock?: Clock;
  dispatcher?: Dispatcher;
};
export type Completed = {
  texts: string[];
  finishReasons: string[];
  usage: { promptTokens: number; completionTokens: number };
};

const answer = z.object({
  choices: z.array(
    z.object({
      index: z.number().optional(),
      message: z.object({ content: z.string().nullable() }),
      finish_reason: z.string().nullable().optional(),
    }),
  ),
  usage: z.object({ prompt_tokens: z.number().int(), completion_tokens: z.number().int().nullish() }).optional(),
});
/** vLLM puts errors into `error` in newer versions, flat in older ones. */
const refusal = z.union([
  z.object({ error: z.object({ message: z.string() }) }).transform(({ error }) => error.message),
  z.object({ message: z.string() }).transform(({ message }) => message),
]);

const longestAttempt = 15 * 60_000;

/** How chat templates speak that take no system message, in `error.message` of a 400; `ABOUT_ROLES` in the trainer's rendering.py. */
const aboutRoles = /role|system/i;

/**
 * Chat completion with several answers. 429, 503 and network failures are tried again until the deadline, as slowly as the server asks.
 * With `prefill` the last message is an assistant's turn that the model goes on with. Where the model's chat template has no system role,
 * the system message goes to the head of the first user's turn; the trainer learns such conversations in the same form.
 */
export async function complete(input: Completion): Promise<Completed> {
  try {
    return await completion(input);
  } catch (refusal) {
    if (!(refusal instanceof InferenceRefused && refusal.status === 400 && aboutRoles.test(refusal.reason))) throw refusal;
    const messages = folded(input.messages);
    if (!messages) throw refusal;
    return await completion({ ...input, messages }).catch((error: unknown) => {
      throw error instanceof InferenceRefused ? refusal : error;
    });
  }
}

/** The same words without a system role, as Gemma 3's template puts them; undefined where they have none. */
export function folded([system, user, ...rest]: readonly Message[]): Message[] | undefined {
  if (system?.role !== "system" || user?.role !== "user") return undefined;
  return [{ ...user, content: `${system.content}\n\n${user.content}` }, ...rest];
}

async function completion(input: Completion): Promise<Completed> {
  const clock = input.clock ?? systemClock;
  const policy = {
    attempts: Number.POSITIVE_INFINITY,
    firstWaitMilliseconds: 500,
    longestWaitMilliseconds: 30_000,
    deadline: input.deadline,
    ...(input.signal ? { signal: input.signal } : {}),
  };
  try {
    return await retry(() => attempt(input, clock), policy, clock);
  } catch (error) {
    if (!(error instanceof Transient)) throw error;
    throw new InferenceUnavailable(`${input.model} at ${input.url} didn't answer before the deadline: ${error.message}`, { cause: error });
  }
}

async function attempt(input: Completion, clock: Clock): Promise<Completed> {
  const remaining = input.deadline - clock.now();
  if (remaining <= 0) throw new Transient("no time is left");
  const { status, body } = await exchange({
    method: "POST",
    url: `${input.url.replace(/\/+$/, "")}/chat/completions`,
    headers: { "content-type": "application/json", ...(input.requestID ? { "x-request-id": input.requestID } : {}) },
    body: JSON.stringify(requestBody(input)),
    timeoutMilliseconds: Math.min(remaining, longestAttempt),
    maxBytes: 64 * 1024 * 1024,
    clock,
    ...(input.signal ? { signal: input.signal } : {}),
    ...(input.dispatcher ? { dispatcher: input.dispatcher } : {}),
  });
  const document = parseJSON(body);
  if (status !== 200) {
    const reason = reasonOf(document, body);
    throw new InferenceRefused(`${input.model} at ${input.url} answered ${status}: ${reason}`, status, reason);
  }
  const parsed = answer.safeParse(document);
  if (!parsed.success) throw new Transient(`${input.url} answered something that is not a chat completion`);
  return completed(parsed.data, input.n);
}

/** What is sent; exported for its test. */
export function requestBody(input: Completion): Record<string, unknown> {
  const { sampling, prefill } = input;
  const messages = prefill === undefined ? input.messages : [...input.messages, { role: "assistant", content: prefill }];
  return {
    model: input.model,
    messages,
    n: input.n,
    ...(sampling.temperature === undefined ? {} : { temperature: Number(sampling.temperature) }),
    ...(sampling.topP === undefined ? {} : { top_p: Number(sampling.topP) }),
    ...(sampling.maxTokens === undefined ? {} : { max_tokens: sampling.maxTokens }),
    ...(sampling.stop === undefined || sampling.stop.length === 0 ? {} : { stop: sampling.stop }),
    ...(input.seed === undefined ? {} : { seed: input.seed }),
    ...(prefill === undefined ? {} : { add_generation_prompt: false, continue_final_message: true }),
  };
}

function completed(document: z.infer<typeof answer>, n: number): Completed {
  if (document.choices.length !== n) throw new Transient(`${document.choices.length} of ${n} answers came back`);
  const choices = [...document.choices].sort((a, b) => (a.index ?? 0) - (b.index ?? 0));
  return {
    texts: choices.map((choice) => choice.message.content ?? ""),
    finishReasons: choices.map((choice) => choice.finish_reason ?? "unknown"),
    usage: { promptTokens: document.usage?.prompt_tokens ?? 0, completionTokens: document.usage?.completion_tokens ?? 0 },
  };
}

function reasonOf(document: unknown, body: Buffer): string {
  const parsed = refusal.safeParse(document);
  return (parsed.success ? parsed.data : body.toString("utf8")).slice(0, 500);
}
