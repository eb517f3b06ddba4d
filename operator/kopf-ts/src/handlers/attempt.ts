import { PermanentError, TemporaryError } from "./errors.ts";

/** What a handler's errors mean, and how patient we are with it. */
export interface RetryOptions {
  /** Attempts at most. Default: without end. */
  readonly retries?: number;
  /** Seconds from the first attempt on; then it has failed. Default: without end. */
  readonly timeout?: number;
  /** Seconds before the next attempt after an error that says nothing of it. Default 60. */
  readonly backoff?: number;
  /** What errors other than TemporaryError and PermanentError are. `ignored`: as good as success. Default `temporary`. */
  readonly errors?: "temporary" | "permanent" | "ignored";
}

export interface Attempts {
  readonly started: Date;
  /** Attempts made before. */
  readonly retries: number;
}

export type Attempted =
  | { readonly ended: "success"; readonly result?: unknown; readonly ignored?: Error }
  | { readonly ended: "failure"; readonly error: Error }
  | { readonly ended?: undefined; readonly again: number; readonly error: Error };

/** Runs a handler once and says what that means. Never throws. An attempt that could not be made in time or number any more has failed already. */
export async function attempt(
  options: RetryOptions,
  attempts: Attempts,
  now: () => Date,
  run: () => unknown | Promise<unknown>,
): Promise<Attempted> {
  const { retries = Number.POSITIVE_INFINITY, timeout = Number.POSITIVE_INFINITY, backoff = 60, errors = "temporary" } = options;
  const left = (): number => timeout - (now().getTime() - attempts.started.getTime()) / 1000;
  if (left() <= 0) return { ended: "failure", error: new PermanentError(`it has not succeeded within ${timeout} s`) };
  try {
    return { ended: "success", result: await run() };
  } catch (thrown) {
    const error = thrown instanceof Error ? thrown : new Error(String(thrown));
    if (error instanceof PermanentError) return { ended: "failure", error };
    if (!(error instanceof TemporaryError) && errors !== "temporary") {
      return errors === "ignored" ? { ended: "success", ignored: error } : { ended: "failure", error };
    }
    if (attempts.retries + 1 >= retries) return { ended: "failure", error: finally_(`all ${retries} attempts failed`, error) };
    const again = error instanceof TemporaryError ? error.delay : backoff;
    if (left() <= again) return { ended: "failure", error: finally_(`it has not succeeded within ${timeout} s`, error) };
    return { again, error };
  }
}

function finally_(what: string, cause: Error): PermanentError {
  return new PermanentError(`${what}; the last error was: ${cause.message}`, { cause });
}
