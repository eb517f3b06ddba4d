import type { Sampling } from "@rune/crds/fields/sampling";
import type { Dispatcher } from "undici";
import { z } from "zod";
import { type Clock, systemClock } from "../clock.ts";
import { exchange } from "../http/http.ts";
import { parseJSON } from "../http/json.ts";
import { retry, Transient } from "../http/retry.ts";

/** The model server had no successful response by the deadline. */
export class InferenceUnavailable extends Error {
  override readonly name = "InferenceUnavailable";
}

/** The model server refuses this request permanently: unknown model, prompt too long, invalid parameter. */
export class InferenceRefused extends Error {
  override readonly name = "InferenceRefused";
  readonly status: number;
  /** the server's message, possibly truncated */
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
  /** number of completions */
  n: number;
  sampling: Sampling;
  /** beginning of the completion; not part of the returned texts */
  prefill?: string;
  /** makes samples repeatable within equal batches; no guarantee across batches or engines */
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
/** Newer versions of vLLM nest errors in `error`, older ones don't. */
const refusal = z.union([
  z.object({ error: z.object({ message: z.string() }) }).transform(({ error }) => error.message),
  z.object({ message: z.string() }).transform(({ message }) => message),
]);

const longestAttempt = 15 * 60_000;

/** Matches errors of chat templates without a system role; `ABOUT_ROLES` in the trainer's rendering.py is the same. */
const aboutRoles = /role|system/i;

/**
 * Chat completion with several samples. 429, 503 and network failures are retried until the deadline, at the pace that
 * the server requests. With `prefill` the last message is an assistant's turn that the model continues. If the model's
 * chat template has no system role, the system message is put in front of the first user's turn; the trainer renders
 * such conversations in the same way.
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

/** The messages without a system role, as Gemma 3's template renders them; undefined if there is no system message. */
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
  return isGreedy(input) ? repeated(completed(parsed.data, 1), input.n) : completed(parsed.data, input.n);
}

/** All greedy answers to a prompt are equal, and vLLM refuses to make more than one. */
const isGreedy = ({ sampling, n }: Pick<Completion, "sampling" | "n">) => n > 1 && Number(sampling.temperature ?? 1) === 0;

function repeated({ texts, finishReasons, usage }: Completed, n: number): Completed {
  const times = <T>(list: readonly T[]) => Array.from({ length: n }, () => list).flat();
  return { texts: times(texts), finishReasons: times(finishReasons), usage };
}

/** The request body; exported for its test. */
export function requestBody(input: Completion): Record<string, unknown> {
  const { sampling, prefill } = input;
  const messages = prefill === undefined ? input.messages : [...input.messages, { role: "assistant", content: prefill }];
  return {
    model: input.model,
    messages,
    n: isGreedy(input) ? 1 : input.n,
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
