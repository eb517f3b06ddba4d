import type { Clock } from "../core/clock.ts";
import type { Access, Credentials } from "./credentials.ts";

/** Certificates and tokens are read again after this time (client-go: one minute for token files). */
const lifetimeMilliseconds = 30_000;

/** What the credentials last gave access by, shared by all requests. */
export class AccessCache {
  readonly #credentials: Credentials;
  readonly #clock: Clock;
  #access: Access | undefined;
  #readAt = Number.NEGATIVE_INFINITY;
  #inFlight: Promise<Access> | undefined;
  /** The last access was answered with 401. */
  #isRefused = false;

  constructor(credentials: Credentials, clock: Clock) {
    this.#credentials = credentials;
    this.#clock = clock;
  }

  /** The access, unless it has to be read (again). */
  get fresh(): Access | undefined {
    return this.#clock.monotonic() - this.#readAt < lifetimeMilliseconds ? this.#access : undefined;
  }

  /** Reads the credentials; calls at the same time share one read. */
  async read(): Promise<Access> {
    this.#inFlight ??= this.#credentials.access(this.#isRefused).finally(() => {
      this.#inFlight = undefined;
    });
    this.#isRefused = false;
    this.#access = await this.#inFlight;
    this.#readAt = this.#clock.monotonic();
    return this.#access;
  }

  /** The server has returned 401. */
  refuse(): void {
    this.#access = undefined;
    this.#isRefused = true;
  }
}
