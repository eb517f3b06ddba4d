import type { Clock } from "../core/clock.ts";

/** Work that heeds its signal needs some time to clean up. */
const patienceMilliseconds = 10_000;
const mostNames = 5;

interface Straggler {
  readonly controller: string;
  readonly key: string;
  readonly since: number;
}

/**
 * Aborted work that still runs: passes and handlers that ignore their signal. Each blocks the next pass of its object.
 */
export class Stragglers {
  readonly #clock: Clock;
  readonly #running = new Set<Straggler>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Records one until it has ended. Never rejects. */
  async follow(controller: string, key: string, ended: Promise<unknown>): Promise<void> {
    const straggler: Straggler = { controller, key, since: this.#clock.monotonic() };
    this.#running.add(straggler);
    await ended.catch(() => undefined);
    this.#running.delete(straggler);
  }

  /** How many of this controller still run. */
  count(controller: string): number {
    return [...this.#running].filter((straggler) => straggler.controller === controller).length;
  }

  /** Null, or a sentence about those that have ignored their signal for more than ten seconds. */
  complaint(): string | null {
    const now = this.#clock.monotonic();
    const stubborn = [...this.#running].filter(({ since }) => now - since > patienceMilliseconds);
    if (stubborn.length === 0) return null;
    const names = stubborn
      .slice(0, mostNames)
      .map(({ controller, key, since }) => `${controller} ${key} (${Math.round((now - since) / 1000)} s)`);
    const more = stubborn.length > mostNames ? ` and ${stubborn.length - mostNames} more` : "";
    return `told to end and still running, so that their objects wait: ${names.join(", ")}${more}`;
  }
}
