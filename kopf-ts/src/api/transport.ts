import { createHash } from "node:crypto";
import { type Dispatcher, Pool, ProxyAgent } from "undici";
import { Backoff } from "../core/backoff.ts";
import { type Clock, realClock, sleep } from "../core/clock.ts";
import { errorOf } from "../core/errors.ts";
import { checkNumbers } from "../core/numbers.ts";
import { ApiError, ConnectionError, SilentStreamError } from "./api-error.ts";
import type { Access, Credentials, TlsSettings } from "./credentials.ts";

/** The methods of the Kubernetes API. */
export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
/** The parameters of a request; undefined ones are left out. */
export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

/** A request to the API server. Its path begins with `/api` or `/apis`. */
export interface Request {
  readonly method: Method;
  readonly path: string;
  readonly query?: Query;
  readonly body?: string;
  /** Of the body. Default `application/json`. */
  readonly contentType?: string;
  readonly accept?: string;
  readonly signal?: AbortSignal;
  /**
   * Called right before the request is sent over its connection, however long it had to wait for one: an error that it
   * throws ends the request.
   */
  readonly admit?: () => void;
}

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

interface Pools {
  readonly calls: Dispatcher;
  readonly watches: Dispatcher;
  readonly tlsFingerprint: string;
}

/** Certificates and tokens are read again after this time (client-go: one minute for token files). */
const accessLifetimeMilliseconds = 30_000;
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
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #userAgent: string;
  readonly #connections: number;
  readonly #silence: number;
  readonly #retries: number;
  readonly #host: string;
  readonly #origin: string;
  readonly #basePath: string;
  readonly #closing = new AbortController();
  #onExchange: ((exchange: Exchange) => void) | undefined;
  #pools: Pools | undefined;
  #access: Access | undefined;
  #accessReadAt = Number.NEGATIVE_INFINITY;
  #accessInFlight: Promise<Access> | undefined;
  /** The last access was answered with 401. */
  #isRefused = false;

  constructor(options: TransportOptions) {
    checkNumbers("Transport", options, {
      connections: "a count above zero",
      watchSilenceMilliseconds: "a time above zero",
      retries: "a count, zero or more",
    });
    this.options = options;
    const url = new URL(options.credentials.server);
    this.#credentials = options.credentials;
    this.#clock = options.clock ?? realClock;
    this.#random = options.random ?? Math.random;
    this.#userAgent = options.userAgent ?? "kopf-ts";
    this.#connections = options.connections ?? 64;
    this.#silence = options.watchSilenceMilliseconds ?? 90_000;
    this.#retries = options.retries ?? 4;
    this.#onExchange = options.onExchange;
    this.#host = url.host;
    this.#origin = url.origin;
    this.#basePath = url.pathname.replace(/\/$/, "");
  }

  /** The namespace of the credentials. */
  get namespace(): string | undefined {
    return this.#credentials.namespace;
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
    const silence = this.#watchForSilence(request, stop);
    const unlink = link([request.signal, this.#closing.signal], stop);
    try {
      const response = await this.#exchange(request, "watches", (pool, options) => pool.request({ ...options, signal: stop.signal }));
      silence.heard();
      if (response.statusCode >= 400) {
        throw refusal(request, { statusCode: response.statusCode, headers: response.headers, text: await response.body.text() });
      }
      const splitter = new LineSplitter();
      for await (const chunk of response.body as AsyncIterable<Buffer>) {
        silence.heard();
        const lines = splitter.push(chunk);
        if (lines.length > 0) yield lines;
      }
    } catch (error) {
      if (request.signal?.aborted || this.#closing.signal.aborted) return;
      if (error instanceof ApiError) throw error;
      if (stop.signal.reason instanceof SilentStreamError) throw stop.signal.reason;
      throw error instanceof ConnectionError ? error : new ConnectionError(title(request), error);
    } finally {
      silence.stop();
      unlink();
      // Ends the exchange, and with it the socket, when the consumer stops early.
      stop.abort();
    }
  }

  /** Aborts every open exchange and closes every connection. */
  async close(): Promise<void> {
    this.#closing.abort();
    const pools = this.#pools;
    this.#pools = undefined;
    await Promise.all([pools?.calls.destroy(), pools?.watches.destroy()]);
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
      const answer = await this.#exchange(request, "calls", (pool, options) => wholeAnswer(pool, options, request));
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
    if (this.#closing.signal.aborted) throw new Error("the transport is closed");
    const access = this.#freshAccess() ?? (await this.#readAccess());
    const pools = this.#poolsFor(access);
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
      if (response.statusCode === 401) {
        this.#access = undefined;
        this.#isRefused = true;
      }
      return response;
    } finally {
      this.#onExchange?.({ method: request.method, host: this.#host, code, seconds: (this.#clock.monotonic() - started) / 1000 });
    }
  }

  #headers(request: Request, access: Access): Record<string, string> {
    const headers: Record<string, string> = { accept: request.accept ?? "application/json", "user-agent": this.#userAgent };
    if (request.body !== undefined) headers["content-type"] = request.contentType ?? "application/json";
    return Object.assign(headers, access.headers);
  }

  #freshAccess(): Access | undefined {
    return this.#clock.monotonic() - this.#accessReadAt < accessLifetimeMilliseconds ? this.#access : undefined;
  }

  async #readAccess(): Promise<Access> {
    this.#accessInFlight ??= this.#credentials.access(this.#isRefused).finally(() => {
      this.#accessInFlight = undefined;
    });
    this.#isRefused = false;
    this.#access = await this.#accessInFlight;
    this.#accessReadAt = this.#clock.monotonic();
    return this.#access;
  }

  /** Rotated certificates need new connections; the old pools end when their last exchange does. */
  #poolsFor(access: Access): Pools {
    if (this.#pools && access === this.#poolsAccess) return this.#pools;
    const tlsFingerprint = fingerprint(access.tls);
    if (this.#pools?.tlsFingerprint !== tlsFingerprint) {
      void this.#pools?.calls.close();
      void this.#pools?.watches.close();
      this.#pools = {
        calls: this.#newPool(access.tls, this.#connections),
        watches: this.#newPool(access.tls, null),
        tlsFingerprint,
      };
    }
    this.#poolsAccess = access;
    return this.#pools as Pools;
  }
  #poolsAccess: Access | undefined;

  #newPool(tls: TlsSettings, connections: number | null): Dispatcher {
    // HTTP/1.1: with Node's HTTP/2 a pass that writes costs a quarter more CPU (bench/operator, burst), and one lost
    // connection fails every call on it.
    const connect = { ...tls, keepAlive: true, keepAliveInitialDelay: 30_000, timeout: 10_000, allowH2: false };
    const { proxy } = this.#credentials;
    if (proxy) return new ProxyAgent({ uri: proxy, requestTls: connect, connections });
    return new Pool(this.#origin, { connections, pipelining: 1, connect, allowH2: false, keepAliveTimeout: 60_000 });
  }

  #watchForSilence(request: Request, stop: AbortController) {
    let last = this.#clock.monotonic();
    let cancel: () => void;
    const check = () => {
      const left = this.#silence - (this.#clock.monotonic() - last);
      if (left <= 0) stop.abort(new SilentStreamError(title(request), this.#silence));
      else cancel = this.#clock.schedule(left, check);
    };
    cancel = this.#clock.schedule(this.#silence, check);
    return {
      heard: () => {
        last = this.#clock.monotonic();
      },
      stop: () => cancel(),
    };
  }
}

/**
 * Splits bytes into lines. Bytes are joined before they are decoded, so a character split between two chunks survives.
 */
export class LineSplitter {
  #rest: Buffer[] = [];

  push(chunk: Buffer): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      const piece = chunk.subarray(start, end);
      const line = this.#rest.length === 0 ? piece.toString("utf8") : Buffer.concat([...this.#rest, piece]).toString("utf8");
      this.#rest = [];
      if (line !== "") lines.push(line);
      start = end + 1;
    }
    if (start < chunk.length) this.#rest.push(chunk.subarray(start));
    return lines;
  }
}

/** A complete response. */
interface Answer {
  readonly statusCode: number;
  readonly headers: Record<string, string | string[] | undefined>;
  readonly text: string;
}

/** `pool.request` without the stream that it makes of every body, which was a sixth of a pass's CPU (bench/operator, burst). */
function wholeAnswer(pool: Dispatcher, options: Dispatcher.RequestOptions, { signal, admit }: Request): Promise<Answer> {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  let controller: Dispatcher.DispatchController | undefined;
  const abort = () => {
    reject(signal?.reason);
    controller?.abort(signal?.reason);
  };
  admit?.();
  signal?.throwIfAborted();
  signal?.addEventListener("abort", abort, { once: true });
  let head: Omit<Answer, "text"> | undefined;
  const chunks: Buffer[] = [];
  pool.dispatch(options, {
    onRequestStart(started) {
      controller = started;
      try {
        admit?.();
        signal?.throwIfAborted();
      } catch (error) {
        started.abort(errorOf(error));
      }
    },
    onResponseStart(_, statusCode, headers) {
      // Not informational responses, such as 103.
      if (statusCode >= 200) head = { statusCode, headers };
    },
    onResponseData(_, chunk) {
      chunks.push(chunk);
    },
    onResponseEnd() {
      signal?.removeEventListener("abort", abort);
      const body = chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks);
      resolve({ ...(head as Omit<Answer, "text">), text: body.toString("utf8") });
    },
    onResponseError(_, error) {
      signal?.removeEventListener("abort", abort);
      reject(error);
    },
  });
  return promise;
}

function refusal(request: Request, { statusCode, headers, text }: Answer): ApiError {
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

function fingerprint(tls: TlsSettings): string {
  const hash = createHash("sha256");
  for (const [name, value] of Object.entries(tls)) hash.update(`${name}\0`).update(typeof value === "boolean" ? String(value) : value);
  return hash.digest("hex");
}

/** Aborts `target` as soon as one of the signals does; the returned function removes the links. */
function link(signals: readonly (AbortSignal | undefined)[], target: AbortController): () => void {
  const abort = () => target.abort();
  for (const signal of signals) {
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
  }
  return () => {
    for (const signal of signals) signal?.removeEventListener("abort", abort);
  };
}
