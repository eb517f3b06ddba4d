/** Aborts when the program receives SIGTERM or SIGINT. A second SIGINT kills it at once, as without this handler. */
export function terminationSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ["SIGTERM", "SIGINT"] as const)
    process.once(name, () => stop.abort(new Error(`the program was asked to end (${name})`)));
  return stop.signal;
}

const aborted = Object.getOwnPropertyDescriptor(AbortSignal.prototype, "aborted")?.get as (this: AbortSignal) => boolean;
const checkFirst = Symbol("check first");

interface CheckedSignal extends AbortSignal {
  [checkFirst](): unknown;
}

/** Shared by all checked signals: to define these properties on each of them would cost every pass several microseconds. */
const checkedPrototype = Object.create(AbortSignal.prototype, {
  aborted: {
    get(this: CheckedSignal): boolean {
      this[checkFirst]();
      return aborted.call(this);
    },
  },
  throwIfAborted: {
    value(this: CheckedSignal): void {
      this[checkFirst]();
      AbortSignal.prototype.throwIfAborted.call(this);
    },
  },
});

/**
 * Makes a signal check before it reports that it has not aborted: `check` aborts it if there is reason to. A process
 * that was frozen continues in the middle of some handler, before any timer could fire: a handler that reads its signal
 * gets the current state.
 */
export function checkOnRead(signal: AbortSignal, check: () => unknown): AbortSignal {
  return Object.setPrototypeOf(Object.assign(signal, { [checkFirst]: check }), checkedPrototype);
}

/** Aborts `target` as soon as one of the signals does; the returned function removes the links. */
export function linkSignals(signals: readonly (AbortSignal | undefined)[], target: AbortController): () => void {
  const abort = () => target.abort();
  for (const signal of signals) {
    if (signal?.aborted) abort();
    signal?.addEventListener("abort", abort, { once: true });
  }
  return () => {
    for (const signal of signals) signal?.removeEventListener("abort", abort);
  };
}
