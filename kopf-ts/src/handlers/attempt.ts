import type { Clock } from "../core/clock.ts";
import { Deadline } from "../core/deadline.ts";
import { errorOf } from "../core/errors.ts";
import { PermanentError, TemporaryError } from "./errors.ts";

/** What a handler's errors mean, and its limits. */
export interface RetryOptions {
  /** Attempts at most. Default: unlimited. */
  readonly retries?: number;
  /**
   * Seconds from the first attempt on; then it has failed, and the signal of the current attempt aborts. Default:
   * unlimited.
   */
  readonly timeout?: number;
  /** Seconds before the next attempt after an error without a delay. Default 60. */
  readonly backoff?: number;
  /**
   * The meaning of errors other than TemporaryError and PermanentError. `ignored`: counts as success. Default
   * `temporary`.
   */
  readonly errors?: "temporary" | "permanent" | "ignored";
}

export interface Attempts {
  readonly started: Date;
  /** Attempts made before. */
  readonly retries: number;
}

export type Attempted = Ending & {
  /** The handler did not end in time and still runs. Nothing else may begin for its object before this has settled. */
  readonly straggler?: Promise<unknown>;
};

type Ending =
  | { readonly ended: "success"; readonly result?: unknown; readonly ignored?: Error }
  | { readonly ended: "failure"; readonly error: Error }
  | { readonly ended?: undefined; readonly again: number; readonly error: Error };

/** The limits of an attempt. */
export interface Circumstances {
  readonly clock: Clock;
  /** Aborts for reasons other than the handler's own time limit. */
  readonly signal: AbortSignal;
  /** Seconds that this attempt may take, whatever the handler's options say. Default: unlimited. */
  readonly limitSeconds?: number;
}

/**
 * Runs a handler once and returns the result. Never throws. An attempt beyond the handler's limit of time or number
 * has failed already. When its time is up the handler's signal aborts and the attempt has failed, whether the
 * handler heeds the signal or not.
 */
export async function attempt(
  options: RetryOptions,
  attempts: Attempts,
  at: Circumstances,
  run: (signal: AbortSignal) => unknown | Promise<unknown>,
): Promise<Attempted> {
  const { retries = Number.POSITIVE_INFINITY, timeout = Number.POSITIVE_INFINITY, backoff = 60, errors = "temporary" } = options;
  const left = (): number => timeout - (at.clock.now().getTime() - attempts.started.getTime()) / 1000;
  const first = left();
  if (first <= 0) return { ended: "failure", error: new TooLateError(timeout) };
  const { limitSeconds = Number.POSITIVE_INFINITY } = at;
  const late = () => (first <= limitSeconds ? new TooLateError(timeout) : new TookTooLongError(limitSeconds));
  const { result, thrown, straggler } = await inTime(run, new Deadline(at.clock, Math.min(first, limitSeconds), at.signal, late));
  if (!thrown) return { ended: "success", result };
  const error = errorOf(thrown.value);
  if (error instanceof PermanentError) return { ended: "failure", error, ...straggler };
  if (!straggler && !(error instanceof TemporaryError) && errors !== "temporary") {
    return errors === "ignored" ? { ended: "success", ignored: error } : { ended: "failure", error };
  }
  if (attempts.retries + 1 >= retries) return { ended: "failure", error: finally_(`all ${retries} attempts failed`, error), ...straggler };
  const again = error instanceof TemporaryError ? error.delay : backoff;
  if (left() <= again) return { ended: "failure", error: finally_(`it has not succeeded within ${timeout} s`, error), ...straggler };
  return { again, error, ...straggler };
}

interface Ran {
  readonly result?: unknown;
  readonly thrown?: { readonly value: unknown };
  readonly straggler?: { readonly straggler: Promise<unknown> };
}

/** Waits for the handler, up to its time limit. */
async function inTime(run: (signal: AbortSignal) => unknown, deadline: Deadline): Promise<Ran> {
  const running = (async () => await run(deadline.signal))();
  running.catch(() => undefined);
  try {
    return { result: await Promise.race([running, deadline.late]) };
  } catch (value) {
    return { thrown: { value }, ...(deadline.expired ? { straggler: { straggler: running } } : {}) };
  } finally {
    deadline.clear();
  }
}

class TooLateError extends PermanentError {
  constructor(seconds: number) {
    super(`it has not succeeded within ${seconds} s`);
  }
}

class TookTooLongError extends Error {
  constructor(seconds: number) {
    super(`the attempt took longer than ${seconds} s`);
  }
}

/** Whether the signal of an attempt aborted because its time was up: its result is decided already. */
export function isTimeUp({ aborted, reason }: AbortSignal): boolean {
  return aborted && (reason instanceof TooLateError || reason instanceof TookTooLongError);
}

function finally_(what: string, cause: Error): PermanentError {
  return new PermanentError(`${what}; the last error was: ${cause.message}`, { cause });
}
