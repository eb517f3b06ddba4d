import type { Clock } from "../core/clock.ts";

interface Timer {
  readonly due: number;
  readonly run: () => void;
}

/**
 * A clock that only advances when a test moves it.
 *
 * @example
 * ```ts
 * import { sleep } from "kopf-ts";
 * import { VirtualClock } from "kopf-ts/testing";
 *
 * const clock = new VirtualClock("2030-01-01T00:00:00Z");
 * const slept = sleep(clock, 60_000);
 * await clock.advance(60_000);
 * await slept;
 * ```
 */
export class VirtualClock implements Clock {
  #elapsed = 0;
  readonly #start: number;
  readonly #timers = new Set<Timer>();

  constructor(start: Date | string = "2026-01-01T00:00:00Z") {
    this.#start = new Date(start).getTime();
  }

  now(): Date {
    return new Date(this.#start + this.#elapsed);
  }

  monotonic(): number {
    return this.#elapsed;
  }

  schedule(milliseconds: number, run: () => void): () => void {
    const timer = { due: this.#elapsed + Math.max(0, milliseconds), run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }

  /** The number of waiting timers: lets a test see that something sleeps. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Advances time, running due timers in order, with room for promises to settle between two timers. */
  async advance(milliseconds: number): Promise<void> {
    const until = this.#elapsed + milliseconds;
    await settle();
    for (let next = this.#next(until); next; next = this.#next(until)) {
      this.#timers.delete(next);
      this.#elapsed = Math.max(this.#elapsed, next.due);
      next.run();
      await settle();
    }
    this.#elapsed = until;
    await settle();
  }

  #next(until: number): Timer | undefined {
    let soonest: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.due <= until && (!soonest || timer.due < soonest.due)) soonest = timer;
    }
    return soonest;
  }
}

/** One turn of the event loop: every promise that can settle has done so. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Waits (in real time, a few milliseconds at a time) until real I/O has made `condition` true; fails after ten seconds. */
export async function eventually(condition: () => boolean, what = "the condition"): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what} did not come true within 10 s`);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
