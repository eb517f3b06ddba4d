import type { Clock } from "./clock.ts";

/** Waits that double, spread by jitter, and start over once all was quiet for `resetAfterMilliseconds`. */
export class Backoff {
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #first: number;
  readonly #longest: number;
  readonly #resetAfter: number;
  #failures = 0;
  #lastUsed = Number.NEGATIVE_INFINITY;

  constructor(options: {
    clock: Clock;
    random?: () => number;
    firstMilliseconds: number;
    longestMilliseconds: number;
    resetAfterMilliseconds?: number;
  }) {
    this.#clock = options.clock;
    this.#random = options.random ?? Math.random;
    this.#first = options.firstMilliseconds;
    this.#longest = options.longestMilliseconds;
    this.#resetAfter = options.resetAfterMilliseconds ?? Number.POSITIVE_INFINITY;
  }

  /** The next wait in milliseconds: between half and one and a half of the nominal one, so that many clients spread out. */
  next(): number {
    const now = this.#clock.monotonic();
    if (now - this.#lastUsed > this.#resetAfter) this.#failures = 0;
    const nominal = Math.min(this.#longest, this.#first * 2 ** this.#failures);
    this.#failures += 1;
    const wait = Math.min(this.#longest, nominal * (0.5 + this.#random()));
    this.#lastUsed = now + wait;
    return wait;
  }

  reset(): void {
    this.#failures = 0;
  }
}
