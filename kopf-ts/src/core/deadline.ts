import { checkOnRead } from "./abort-signals.ts";
import type { Clock } from "./clock.ts";

/**
 * The time limit of one piece of work: a signal that aborts with the parent signal or when the time is up, and a
 * promise that rejects then.
 */
export class Deadline {
  readonly #own = new AbortController();
  readonly #passed = Promise.withResolvers<never>();
  readonly #late = Promise.withResolvers<never>();
  readonly #above: AbortSignal;
  readonly #cancel: () => void;
  #expired = false;

  constructor(clock: Clock, seconds: number, above: AbortSignal, late: () => Error) {
    for (const { promise } of [this.#passed, this.#late]) promise.catch(() => undefined);
    this.#above = above;
    checkOnRead(this.#own.signal, () => above.aborted);
    this.#cancel = Number.isFinite(seconds)
      ? clock.schedule(seconds * 1000, () => {
          const error = late();
          this.#expired = true;
          this.#late.reject(error);
          this.#end(error);
        })
      : () => undefined;
    if (above.aborted) this.#follow();
    else above.addEventListener("abort", this.#follow, { once: true });
  }

  get signal(): AbortSignal {
    return this.#own.signal;
  }

  /** Rejects when the signal aborts. */
  get passed(): Promise<never> {
    return this.#passed.promise;
  }

  /** Rejects when the time is up. */
  get late(): Promise<never> {
    return this.#late.promise;
  }

  /** Whether the time was up before `clear`. */
  get expired(): boolean {
    return this.#expired;
  }

  clear(): void {
    this.#cancel();
    this.#above.removeEventListener("abort", this.#follow);
  }

  readonly #follow = (): void => this.#end(this.#above.reason);

  #end(reason: unknown): void {
    // First: listeners of the signal must not win the race against it.
    this.#passed.reject(reason);
    this.#own.abort(reason);
  }
}
