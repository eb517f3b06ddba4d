/** Work in one turn of the event loop before others get theirs: timers, probes, signals. */
const longestMilliseconds = 10;

/**
 * Keeps a loop of promises from starving the rest of the process: promises that settle at once never let the event loop
 * turn, so such a loop calls this between two of its steps.
 */
export class Turn {
  #began: number | undefined;

  /** Undefined while this turn is young; else a promise that resolves in the next one. Measured in real time, whatever clock the work uses. */
  ending(): Promise<void> | undefined {
    const now = performance.now();
    if (this.#began === undefined) {
      this.#began = now;
      setImmediate(() => {
        this.#began = undefined;
      });
    }
    return now - this.#began < longestMilliseconds ? undefined : new Promise((resolve) => setImmediate(resolve));
  }
}
