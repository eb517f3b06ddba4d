import { checkNumber } from "../core/numbers.ts";

/** Not now: the handler is tried again after `delay` seconds (default 60), as often as its `retries` and `timeout` allow. */
export class TemporaryError extends Error {
  /** Seconds. */
  readonly delay: number;

  constructor(message: string, options: ErrorOptions & { delay?: number } = {}) {
    super(message, options);
    this.name = "TemporaryError";
    checkNumber("TemporaryError: delay", options.delay, "a time, zero or more");
    this.delay = options.delay ?? 60;
  }
}

/** Never: the handler has failed for good and is not tried again until the object changes. */
export class PermanentError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PermanentError";
  }
}
