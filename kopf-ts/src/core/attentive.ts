const aborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, "aborted")?.get as (this: AbortSignal) => boolean;

/**
 * Makes a signal look before it says that it has not aborted: `look` aborts it where there is reason to. A process that
 * was frozen goes on in the middle of some handler, before any timer could ring: a handler that asks its signal hears the truth.
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
