import type { Readable } from "node:stream";
import { type Dispatcher, request } from "undici";
import { type Clock, systemClock } from "../clock.ts";
import { retryAfter, Transient } from "./retry.ts";

export type Headers = Readonly<Record<string, string | string[] | undefined>>;
export type HttpRequest = {
  method: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE";
  url: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array | Readable;
  /** hard limit for the whole exchange */
  timeoutMilliseconds: number;
  signal?: AbortSignal;
  dispatcher?: Dispatcher;
  clock?: Clock;
};
export type HttpAnswer = { status: number; headers: Headers; body: Buffer };

/** The response is larger than the caller accepts. */
export class AnswerTooLarge extends Error {}

/**
 * One HTTP exchange with a hard timeout. Throws `Transient` for network failures, timeouts, truncated bodies, 429 and
 * 5xx; every other status is returned. If the caller aborts, its reason is rethrown.
 */
export async function exchange(input: HttpRequest & { maxBytes?: number }): Promise<HttpAnswer> {
  return await streaming(input, wholeAnswer(input));
}

/** Reads a whole response; throws `Transient` for 429 and 5xx. */
export function wholeAnswer(input: HttpRequest & { maxBytes?: number }) {
  return async (status: number, headers: Headers, body: Readable): Promise<HttpAnswer> => {
    if (status !== 429 && status < 500) return { status, headers, body: await readUpTo(body, input.maxBytes ?? 4 * 1024 * 1024) };
    const excerpt = await readUpTo(body, 64 * 1024).catch(() => Buffer.alloc(0));
    throw busy(input, status, headers, excerpt.toString("utf8"));
  };
}

/** The error for 429 and 5xx: a retry may succeed, after the time that the server requests. */
export function busy(input: HttpRequest, status: number, headers: Headers, words = ""): Transient {
  const after = retryAfter(headers["retry-after"], (input.clock ?? systemClock).now());
  const text = words.trim().slice(0, 300);
  return new Transient(`${input.method} ${withoutQuery(input.url)} answered ${status}${text ? `: ${text}` : ""}`, {
    status,
    ...(after === undefined ? {} : { retryAfterMilliseconds: after }),
  });
}

/** Like `exchange`, but streams the body to `consume`, for every status. */
export async function streaming<T>(
  input: HttpRequest,
  consume: (status: number, headers: Headers, body: Readable) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(input.timeoutMilliseconds);
  const signal = input.signal ? AbortSignal.any([timeout, input.signal]) : timeout;
  try {
    const answer = await request(input.url, {
      method: input.method,
      signal,
      headersTimeout: input.timeoutMilliseconds,
      bodyTimeout: Math.min(input.timeoutMilliseconds, 60_000),
      ...(input.headers ? { headers: input.headers } : {}),
      ...(input.body === undefined ? {} : { body: input.body }),
      ...(input.dispatcher ? { dispatcher: input.dispatcher } : {}),
    });
    try {
      return await consume(answer.statusCode, answer.headers, answer.body);
    } finally {
      answer.body.on("error", () => undefined).destroy();
    }
  } catch (error) {
    if (input.signal?.aborted) throw input.signal.reason;
    if (timeout.aborted)
      throw new Transient(`${input.method} ${withoutQuery(input.url)} took longer than ${input.timeoutMilliseconds} ms`, { cause: error });
    if (isNetworkError(error))
      throw new Transient(`${input.method} ${withoutQuery(input.url)} failed: ${describe(error)}`, { cause: error });
    throw error;
  }
}

/** Reads a whole body; throws `AnswerTooLarge` beyond `maxBytes`. */
export async function readUpTo(body: Readable, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of body) {
    size += chunk.length;
    if (size > maxBytes) throw new AnswerTooLarge(`the answer is larger than ${maxBytes} bytes`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** The last ones are those of certificates, which expire and are renewed (Node's documentation of `tls`, "X509 certificate error codes"). */
const networkCodes = /^(E|UND_ERR_|CERT_|CRL_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|HOSTNAME_|INVALID_CA|PATH_LENGTH_)[A-Z_]*$/;
function isNetworkError(error: unknown): error is Error & { code: string } {
  return (
    error instanceof Error && "code" in error && typeof error.code === "string" && networkCodes.test(error.code) && !isFileError(error)
  );
}

const diskCodes: readonly string[] = ["ENOSPC", "EDQUOT", "EIO", "EROFS", "EFBIG"];

/** Distinguishes errors of the local file system: they have the path, or one of a few codes for failed writes. */
function isFileError(error: Error & { code?: unknown }): boolean {
  return "path" in error || diskCodes.includes(String(error.code));
}

function describe(error: Error & { code: string }): string {
  return error.message ? `${error.message} (${error.code})` : error.code;
}

/** A URL for messages, without its query, which may contain signatures. */
export function withoutQuery(url: string): string {
  return url.split("?")[0] ?? url;
}
