import type { Dispatcher } from "undici";
import { linkSignals } from "../core/abort-signals.ts";
import { Backoff } from "../core/backoff.ts";
import { type Clock, realClock, sleep } from "../core/clock.ts";
import { checkNumbers } from "../core/numbers.ts";
import { Watchdog } from "../core/watchdog.ts";
import { AccessCache } from "./access-cache.ts";
import { ApiError, ConnectionError, SilentStreamError } from "./api-error.ts";
import { ConnectionPools } from "./connection-pools.ts";
import type { Access, Credentials } from "./credentials.ts";
import { LineSplitter } from "./line-splitter.ts";
import type { Method, Query, Request } from "./request.ts";
import { type WholeResponse, wholeResponse } from "./whole-response.ts";

/** One HTTP exchange, for metrics. `code` is `<error>` if there was no response, as in client-go. */
export interface Exchange {
  readonly method: Method;
  readonly host: string;
  readonly code: string;
  readonly seconds: number;
}

/** How the API server is reached. Invalid times and counts are refused with a RangeError. */
export interface TransportOptions {
  readonly credentials: Credentials;
  readonly clock?: Clock;
  /** From 0 to below 1: spreads waits. Default `Math.random`. */
  readonly random?: () => number;
  /** The header `user-agent`. Default `kopf-ts`. */
  readonly userAgent?: string;
  /** Connections for calls; watches have a separate pool without a limit. Default 64. */
  readonly connections?: number;
  /**
   * A watch that is silent for this long is presumed dead: servers send bookmarks about every 60 s, some a little
   * later. Default 90 s.
   */
  readonly watchSilenceMilliseconds?: number;
  /** Retries of a call at most. Default 4. */
  readonly retries?: number;
  /** Called for every request that has ended. */
  readonly onExchange?: (exchange: Exchange) => void;
}

const callTimeoutMilliseconds = 60_000;
/** For a server that requests a longer pause than this, the caller's own back-off applies, so that no call hangs. */
const longestRetryAfterSeconds = 10;

/**
 * HTTP to one API server over pooled, kept-alive connections.
 * Retries: 429 for every method (the request was not carried out); 5xx and lost connections for GET alone.
 */
export class Transport {
  /** The constructor's options. */
  readonly options: TransportOptions;
  readonly #access: AccessCache;
  readonly #pools: ConnectionPools;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #userAgent: string;
  readonly #silence: number;
  readonly #retries: number;
  readonly #host: string;
  readonly #origin: string;
  readonly #basePath: string;
  readonly #closing = new AbortController();
  #onExchange: ((exchange: Exchange) => void) | undefined;

  constructor(options: TransportOptions) {
    checkNumbers("Transport", options, {
      connections: "a count above zero",
      watchSilenceMilliseconds: "a time above zero",
      retries: "a count, zero or more",
    });
    this.options = options;
    const { credentials, connections = 64 } = options;
    const url = new URL(credentials.server);
    this.#clock = options.clock ?? realClock;
    this.#access = new AccessCache(credentials, this.#clock);
    this.#pools = new ConnectionPools({ origin: url.origin, proxy: credentials.proxy, connections });
    this.#random = options.random ?? Math.random;
    this.#userAgent = options.userAgent ?? "kopf-ts";
    this.#silence = options.watchSilenceMilliseconds ?? 90_000;
    this.#retries = options.retries ?? 4;
    this.#onExchange = options.onExchange;
    this.#host = url.host;
    this.#origin = url.origin;
    this.#basePath = url.pathname.replace(/\/$/, "");
  }

  /** The namespace of the credentials. */
  get namespace(): string | undefined {
    return this.options.credentials.namespace;
  }

  /** Adds a listener to every exchange, besides the one given at construction. */
  observe(listener: (exchange: Exchange) => void): void {
    const before = this.#onExchange;
    this.#onExchange = before
      ? (exchange) => {
          before(exchange);
          listener(exchange);
        }
      : listener;
  }

  /** The response's JSON. */
  async json<T>(request: Request): Promise<T> {
    return await this.#call(request, (text) => JSON.parse(text) as T);
  }

  /** The response as text: pod logs, `/version`, `/readyz`. */
  async text(request: Request): Promise<string> {
    return await this.#call(request, (text) => text);
  }

  /**
   * The response's lines, in the batches in which they arrived, until the server closes, the signal aborts (then it
   * just ends) or the stream falls silent (SilentStreamError). Never retried: only the caller knows where to resume.
   */
  async *lines(request: Request): AsyncGenerator<string[]> {
    const stop = new AbortController();
    const watchdog = new Watchdog(this.#clock, this.#silence, () => stop.abort(new SilentStreamError(title(request), this.#silence)));
    const unlink = linkSignals([request.signal, this.#closing.signal], stop);
    try {
      const response = await this.#exchange(request, "watches", (pool, options) => pool.request({ ...options, signal: stop.signal }));
      watchdog.reset();
      if (response.statusCode >= 400) {
        throw refusal(request, { statusCode: response.statusCode, headers: response.headers, text: await response.body.text() });
      }
      const splitter = new LineSplitter();
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        watchdog.reset();
        const lines = splitter.push(chunk);
        if (lines.length > 0) yield lines;
      }
    } catch (error) {
      if (request.signal?.aborted || this.#closing.signal.aborted) return;
      if (error instanceof ApiError) throw error;
      if (stop.signal.reason instanceof SilentStreamError) throw stop.signal.reason;
      throw error instanceof ConnectionError ? error : new ConnectionError(title(request), error);
    } finally {
      watchdog.stop();
      unlink();
      // Ends the exchange, and with it the socket, when the consumer stops early.
      stop.abort();
    }
  }

  /** Aborts every open exchange and closes every connection. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#pools.destroy();
  }

  async #call<T>(request: Request, read: (text: string) => T): Promise<T> {
    const backoff = new Backoff({ clock: this.#clock, random: this.#random, firstMilliseconds: 200, longestMilliseconds: 5_000 });
    for (let attempt = 0; ; attempt += 1) {
      const { problem, answer } = await this.#attempt(request, read);
      if (!problem) return answer as T;
      if (attempt >= this.#retries || !isWorthRepeating(request, problem)) throw problem;
      const asked = problem instanceof ApiError ? (problem.retryAfter ?? 0) * 1000 : 0;
      await sleep(this.#clock, Math.max(asked, backoff.next()), request.signal ?? this.#closing.signal);
      if (request.signal?.aborted || this.#closing.signal.aborted) throw problem;
    }
  }

  /** A response that is cut off is a lost connection too. */
  async #attempt<T>(request: Request, read: (text: string) => T): Promise<{ problem?: ApiError | ConnectionError; answer?: T }> {
    try {
      const answer = await this.#exchange(request, "calls", (pool, options) => wholeResponse(pool, options, request));
      if (answer.statusCode >= 400) return { problem: refusal(request, answer) };
      return { answer: read(answer.text) };
    } catch (error) {
      if (request.signal?.aborted) throw request.signal.reason;
      request.admit?.();
      return { problem: new ConnectionError(title(request), error) };
    }
  }

  async #exchange<R extends { statusCode: number }>(
    request: Request,
    pool: "calls" | "watches",
    send: (pool: Dispatcher, options: Dispatcher.RequestOptions) => Promise<R>,
  ): Promise<R> {
    this.#refuseIfClosed();
    const access = this.#access.fresh ?? (await this.#access.read());
    // Closed while the credentials were read: the pools would be opened again.
    this.#refuseIfClosed();
    const pools = this.#pools.for(access);
    const timeout = pool === "watches" ? 0 : callTimeoutMilliseconds;
    const started = this.#clock.monotonic();
    let code = "<error>";
    try {
      const response = await send(pools[pool], {
        origin: this.#origin,
        path: this.#basePath + request.path + queryString(request.query),
        method: request.method,
        headers: this.#headers(request, access),
        ...(request.body === undefined ? {} : { body: request.body }),
        headersTimeout: timeout,
        bodyTimeout: timeout,
      });
      code = String(response.statusCode);
      if (response.statusCode === 401) this.#access.refuse();
      return response;
    } finally {
      this.#onExchange?.({ method: request.method, host: this.#host, code, seconds: (this.#clock.monotonic() - started) / 1000 });
    }
  }

  #refuseIfClosed(): void {
    if (this.#closing.signal.aborted) throw new Error("the transport is closed");
  }

  #headers(request: Request, access: Access): Record<string, string> {
    const headers: Record<string, string> = { accept: request.accept ?? "application/json", "user-agent": this.#userAgent };
    if (request.body !== undefined) headers["content-type"] = request.contentType ?? "application/json";
    return Object.assign(headers, access.headers);
  }
}

function refusal(request: Request, { statusCode, headers, text }: WholeResponse): ApiError {
  const header = Number(headers["retry-after"]);
  const retryAfter = Number.isFinite(header) && header >= 0 ? header : undefined;
  return ApiError.fromBody(statusCode, text, { request: title(request), ...(retryAfter === undefined ? {} : { retryAfter }) });
}

function isWorthRepeating(request: Request, problem: ApiError | ConnectionError): boolean {
  if (problem instanceof ConnectionError) return request.method === "GET";
  if ((problem.retryAfter ?? 0) > longestRetryAfterSeconds) return false;
  return problem.status === 429 || (problem.status >= 500 && request.method === "GET");
}

function title(request: Request): string {
  return `${request.method} ${request.path}`;
}

function queryString(query: Query | undefined): string {
  if (!query) return "";
  const parts = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined) parts.set(name, String(value));
  }
  return parts.size > 0 ? `?${parts}` : "";
}
