const aborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, "aborted")?.get as (this: AbortSignal) => boolean;

/**
 * Makes a signal check before it reports that it has not aborted: `look` aborts it if there is reason to. A process
 * that was frozen continues in the middle of some handler, before any timer could fire: a handler that reads its signal
 * gets the current state.
 */
export function attentive(signal: AbortSignal, look: () => unknown): AbortSignal {
  return Object.defineProperties(signal, {
    aborted: {
      get(): boolean {
        look();
        return aborted.call(signal);
      },
    },
    throwIfAborted: {
      value(): void {
        look();
        AbortSignal.prototype.throwIfAborted.call(signal);
      },
    },
  });
}
