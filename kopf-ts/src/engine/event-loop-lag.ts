import { type Histogram, monitorEventLoopDelay } from "node:perf_hooks";

const resolutionMilliseconds = 20;
const windowMilliseconds = 60_000;

/** Delays as Node's `monitorEventLoopDelay` counts them. */
type Delays = Histogram & { enable(): boolean; disable(): boolean };

/**
 * How late timers run. Anyone who reads changes nothing for others: what is told is about the last minute at least and two at
 * most (longer only where nobody reads). Two histograms count the same; each minute the elder begins again.
 */
export class EventLoopLag {
  #elder: Delays;
  #younger: Delays;
  readonly #now: () => number;
  #since: number;

  constructor(
    newDelays: () => Delays = () => monitorEventLoopDelay({ resolution: resolutionMilliseconds }),
    now: () => number = () => performance.now(),
  ) {
    [this.#elder, this.#younger] = [newDelays(), newDelays()];
    this.#now = now;
    this.#since = now();
  }

  measure(on: boolean): void {
    for (const delays of [this.#elder, this.#younger]) {
      if (on) delays.enable();
      else delays.disable();
    }
  }

  /** Seconds, by quantile. */
  read(): { "0.5": number; "0.99": number; "1": number } {
    if (this.#now() - this.#since >= windowMilliseconds) {
      this.#elder.reset();
      [this.#elder, this.#younger] = [this.#younger, this.#elder];
      this.#since = this.#now();
    }
    const delays = this.#elder;
    return {
      "0.5": seconds(delays, delays.percentile(50)),
      "0.99": seconds(delays, delays.percentile(99)),
      "1": seconds(delays, delays.max),
    };
  }
}

/** A timer that is due each 20 ms is late by what goes beyond that. */
function seconds({ count }: Histogram, nanoseconds: number): number {
  return count === 0 ? 0 : Math.max(0, nanoseconds / 1e9 - resolutionMilliseconds / 1000);
}
