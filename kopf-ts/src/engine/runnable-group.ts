import { type Clock, sleep } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";

/** What a manager starts and stops; controllers are Runnables too. */
export interface Runnable {
  /** Runs only while this process leads. */
  readonly needLeaderElection: boolean;
  /** Called once, when every cache is complete. If it throws, the manager stops, and its `start` or `done` rejects with the error. */
  start(): void;
  /** Starts nothing more; resolves once running work has ended. */
  drain(): Promise<void>;
  /** Aborts running work at once: leadership is lost, or the grace period is over. */
  abort(reason: Error): void;
}

/** Work that heeds its signal ends within this time. */
const abortMilliseconds = 1_000;

/** The Runnables of a manager, which are started, drained and aborted together. */
export class RunnableGroup {
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #runnables: Runnable[] = [];
  readonly #started = new Set<Runnable>();

  constructor(clock: Clock, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  add(runnable: Runnable): void {
    this.#runnables.push(runnable);
  }

  /** Starts those that have not started and may run: without leadership those that do not need it. */
  start({ leads }: { readonly leads: boolean }): void {
    for (const runnable of this.#runnables) {
      if (this.#started.has(runnable) || (runnable.needLeaderElection && !leads)) continue;
      this.#started.add(runnable);
      runnable.start();
    }
  }

  /** Ends running work, within the grace period or else by aborting it. Returns whether all of it has ended. */
  async drain(graceMilliseconds: number): Promise<boolean> {
    const over = new AbortController();
    const drained = Promise.allSettled(this.#runnables.map((runnable) => runnable.drain())).then((ends) => {
      for (const end of ends)
        if (end.status === "rejected") this.#logger.error("something that ran could not be drained", { error: end.reason });
      over.abort();
    });
    await Promise.race([drained, sleep(this.#clock, graceMilliseconds, over.signal)]);
    if (!over.signal.aborted) this.#logger.warn("some reconciles did not end within the grace period and are aborted");
    this.abort(new Error("the manager stops"));
    await Promise.race([drained, sleep(this.#clock, abortMilliseconds, over.signal)]);
    return over.signal.aborted;
  }

  abort(reason: Error): void {
    for (const runnable of this.#runnables) runnable.abort(reason);
  }
}
