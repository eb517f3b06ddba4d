import { checkNumber } from "../core/numbers.ts";

/**
 * Not now: the handler is retried after `delay` seconds (default 60), as often as its `retries` and `timeout` allow.
 *
 * @throws RangeError for an invalid delay.
 *
 * @example
 * ```ts
 * import { Operator, resource, TemporaryError } from "kopf-ts";
 *
 * const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
 * const operator = new Operator();
 * operator.on.create(widgets, async ({ spec, signal }) => {
 *   const { status } = await fetch(spec.url, { signal });
 *   if (status === 503) throw new TemporaryError("the other side is busy", { delay: 10 });
 * });
 * ```
 */
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

/** Never: the handler has failed permanently and is not retried until the object changes. */
export class PermanentError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "PermanentError";
  }
}
