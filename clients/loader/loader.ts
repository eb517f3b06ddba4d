import {
  type DemandVerdict,
  demandWatchSeconds,
  type LoaderDemand,
  type LoaderState,
  type LoadRequest,
  loaderDemand,
  loaderState,
} from "@rune/crds/contracts/loader";
import type { Dispatcher } from "undici";
import { type Clock, systemClock } from "../clock.ts";
import { exchange, type HttpAnswer } from "../http/http.ts";
import { parseJSON } from "../http/json.ts";
import { Transient } from "../http/retry.ts";

/** The loader is unreachable or temporarily unable. Retry after the time that it requested. */
export class LoaderUnavailable extends Error {
  override readonly name = "LoaderUnavailable";
  readonly retryAfterSeconds: number | undefined;
  constructor(message: string, options: { cause?: unknown; retryAfterSeconds?: number } = {}) {
    super(message, { cause: options.cause });
    this.retryAfterSeconds = options.retryAfterSeconds;
  }
}

/** The loader doesn't accept the token: another pod has the address now, or the keys differ. */
export class LoaderDenied extends Error {
  override readonly name = "LoaderDenied";
}

export type LoaderOptions = {
  /** `http://<pod IP>:8081` */
  address: string;
  /** returns a token for this pod's admin port; called for every request */
  token: () => Promise<string>;
  clock?: Clock;
  dispatcher?: Dispatcher;
  /** time limit of a load: pull, checks, engine, canary */
  loadTimeoutMilliseconds?: number;
};

/** The operator's client of one pod's loader. It doesn't retry: the operator reconciles. */
export class LoaderClient {
  readonly #options: LoaderOptions;

  constructor(options: LoaderOptions) {
    this.#options = options;
  }

  async state(): Promise<LoaderState> {
    return this.#state(await this.#send("GET", "/state", 5_000));
  }

  /** Resolves once the adapter is loaded or refused; the returned state says which. */
  async load(name: string, request: LoadRequest): Promise<LoaderState> {
    const timeout = this.#options.loadTimeoutMilliseconds ?? 180_000;
    return this.#state(await this.#send("PUT", `/adapters/${encodeURIComponent(name)}`, timeout, request));
  }

  async unload(name: string): Promise<LoaderState> {
    return this.#state(await this.#send("DELETE", `/adapters/${encodeURIComponent(name)}`, 60_000));
  }

  /** Resolves when a client requests an adapter that was not requested at `after`, or after `demandWatchSeconds`. */
  async wanted(after: number): Promise<LoaderDemand> {
    const answer = await this.#send("GET", `/wanted?after=${after}`, (demandWatchSeconds + 10) * 1_000);
    const parsed = loaderDemand.safeParse(parseJSON(answer.body));
    if (answer.status !== 200 || !parsed.success)
      throw new LoaderUnavailable(
        `the loader at ${this.#options.address} doesn't say what is wanted (${answer.status}); is it of this version?`,
      );
    return parsed.data;
  }

  /** Sends the reason why an adapter isn't loaded to the clients that wait for it. */
  async answer(name: string, verdict: DemandVerdict): Promise<LoaderState> {
    return this.#state(await this.#send("PUT", `/wanted/${encodeURIComponent(name)}`, 5_000, verdict));
  }

  async #send(method: "GET" | "PUT" | "DELETE", path: string, timeoutMilliseconds: number, body?: unknown): Promise<HttpAnswer> {
    const { address, dispatcher, token, clock = systemClock } = this.#options;
    const headers = {
      authorization: `Bearer ${await token()}`,
      "content-type": "application/json",
    };
    try {
      return await exchange({
        method,
        url: `${address}${path}`,
        headers,
        timeoutMilliseconds,
        clock,
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        ...(dispatcher ? { dispatcher } : {}),
      });
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      const after = error.retryAfterMilliseconds;
      throw new LoaderUnavailable(`the loader at ${address} can't answer now: ${error.message}`, {
        cause: error,
        ...(after === undefined ? {} : { retryAfterSeconds: Math.ceil(after / 1000) }),
      });
    }
  }

  #state(answer: HttpAnswer): LoaderState {
    const { address } = this.#options;
    if (answer.status === 401 || answer.status === 403) throw new LoaderDenied(`the loader at ${address} refused this operator's token`);
    const parsed = answer.status === 200 || answer.status === 409 ? loaderState.safeParse(parseJSON(answer.body)) : undefined;
    if (!parsed?.success)
      throw new LoaderUnavailable(`the loader at ${address} answered ${answer.status}, which is not understood; is it of this version?`);
    return parsed.data;
  }
}
