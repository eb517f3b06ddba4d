import type { Clock } from "./clock.ts";

/** Calls `expired` once it has not been reset for so long. */
export class Watchdog {
  readonly #clock: Clock;
  readonly #milliseconds: number;
  readonly #expired: () => void;
  #last: number;
  #cancel: () => void;

  constructor(clock: Clock, milliseconds: number, expired: () => void) {
    this.#clock = clock;
    this.#milliseconds = milliseconds;
    this.#expired = expired;
    this.#last = clock.monotonic();
    this.#cancel = clock.schedule(milliseconds, () => this.#check());
  }

  /** Sets no timer, so that it may be called often: the one that runs is prolonged when it fires. */
  reset(): void {
    this.#last = this.#clock.monotonic();
  }

  stop(): void {
    this.#cancel();
  }

  #check(): void {
    const left = this.#milliseconds - (this.#clock.monotonic() - this.#last);
    if (left <= 0) this.#expired();
    else this.#cancel = this.#clock.schedule(left, () => this.#check());
  }
}
