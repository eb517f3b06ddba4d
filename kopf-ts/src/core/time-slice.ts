/** The longest work in one turn of the event loop, before timers, probes and signals get theirs. */
const longestMilliseconds = 10;

/**
 * Keeps a loop of promises from starving the rest of the process: promises that settle at once never let the event loop
 * turn, so such a loop calls this between two of its steps.
 */
export class TimeSlice {
  #began: number | undefined;

  /**
   * Undefined while time is left; else a promise that resolves in the next turn. Measured in real time, whatever clock
   * the work uses.
   */
  spent(): Promise<void> | undefined {
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
