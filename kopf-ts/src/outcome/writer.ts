import { describe, type KubeObject, keyOf } from "../api/object.ts";
import type { Resource } from "../api/resource.ts";
import { ChildWriter, type ChildWriterOptions } from "./child-writer.ts";
import { FailureReporter, standingFailure, withFailure } from "./failure-reporter.ts";
import { editFinalizers } from "./finalizer.ts";
import type { Outcome } from "./outcome.ts";
import { writing } from "./status.ts";
import { StatusLoops } from "./status-loop.ts";
import { StatusWriter } from "./status-writer.ts";
import type { WriteContext } from "./write-context.ts";

/** On a conflict another client wrote first: the next pass, soon, will decide from the current state. */
export type Written = "done" | "conflict" | "gone";

export interface WriterOptions extends ChildWriterOptions {
  readonly resource: Resource;
}

/** Carries an Outcome out: every write of the framework to the API begins here. */
export class OutcomeWriter {
  readonly #options: WriterOptions;
  readonly #status: StatusWriter;
  readonly #children: ChildWriter;
  readonly #failures: FailureReporter;
  readonly #loops: StatusLoops;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#status = new StatusWriter(options);
    this.#children = new ChildWriter(options);
    this.#failures = new FailureReporter(this.#status, options.clock);
    this.#loops = new StatusLoops(options.clock);
  }

  /** Seconds that the next pass over this object has to wait: until it can see what the last one made, or because its status never comes to rest. */
  pauseBefore(object: KubeObject): number {
    return Math.max(this.#children.pause(object), this.#loops.pause(object)) / 1000;
  }

  /**
   * In order, each step only if the one before succeeded: finalizers added → status → events → creates → applies →
   * deletes → effects → finalizers removed. The API's refusals are thrown, except that a lost race is returned.
   * Readiness or success is claimed, and events are published, only when the writes and effects have been made; until
   * then the status says Reconciling. Refusals by the server are reported on the object, as Stalled when they last.
   */
  async write(object: KubeObject, outcome: Outcome, ctx: WriteContext): Promise<Written> {
    const withFinalizers = await this.#editFinalizers(object, outcome, true, ctx);
    if (typeof withFinalizers === "string") return withFinalizers;
    // The outcome is about the spec that it was decided on, not about a newer one in the response.
    if (withFinalizers.metadata.generation !== object.metadata.generation) return "conflict";
    const isClaim = (outcome.kind === "ready" || outcome.kind === "succeeded") && (await this.#hasWork(object, outcome));
    const retrying = standingFailure(withFinalizers, outcome, ctx);
    const first = retrying ? withFailure(outcome, retrying) : outcome;
    const told = await this.#status.write(withFinalizers, first, ctx, isClaim ? (retrying ?? writing) : undefined);
    if (typeof told === "string") return told;
    if (!isClaim) this.#publish(told, outcome, ctx);
    const made = await this.#makeAll(object, outcome, ctx).catch((error: unknown) => {
      // A status that differs each time brings the next pass at once, whatever the back-off after a failure.
      this.#tellOfLoop(object, told, ctx);
      return this.#failures.reportRefusal(told, outcome, error, ctx);
    });
    if (made === "conflict") return made;
    this.#failures.forget(keyOf(object.metadata));
    const current = isClaim || retrying ? await this.#status.write(told, outcome, ctx) : told;
    if (typeof current === "string") return current;
    if (isClaim) this.#publish(current, outcome, ctx);
    this.#tellOfLoop(object, current, ctx);
    // The object may have been deleted with its last finalizer: that is what was wanted.
    return (await this.#editFinalizers(current, outcome, false, ctx)) === "conflict" ? "conflict" : "done";
  }

  /** Reports on the object that its reconciles keep failing, in addition to the rest of its status. Never throws. */
  async report(object: KubeObject, error: Error, ctx: WriteContext): Promise<void> {
    await this.#failures.reportFailure(object, error, ctx);
  }

  /** The object was deleted; its records are removed. */
  forget(key: string): void {
    this.#children.forget(key);
    this.#loops.forget(key);
    this.#failures.forget(key);
  }

  #tellOfLoop(object: KubeObject, current: KubeObject, { logger, recorder }: WriteContext): void {
    const fields = this.#loops.passed(object, current);
    if (!fields) return;
    const names = fields.map((field) => `status.${field}`).join(", ");
    const note = `every pass writes ${names} again, which brings the next pass: leave out what differs each time, such as the time; until then there is a second between passes`;
    logger.warn(`the status of ${describe(object)} never comes to rest: ${note}`);
    recorder.event(object, { type: "Warning", reason: "StatusLoop", note });
  }

  /** Whether anything is left to be done after the status. */
  async #hasWork(object: KubeObject, outcome: Outcome): Promise<boolean> {
    return outcome.effects.length > 0 || (await this.#children.hasWork(object, outcome));
  }

  /** What happened is in the log as well, whose lines outlive Events. */
  #publish(object: KubeObject, { events }: Outcome, { logger, recorder, signal }: WriteContext): void {
    if (events.length > 0) signal.throwIfAborted();
    for (const event of events) {
      recorder.event(object, event);
      logger.info(event.note, { reason: event.reason });
    }
  }

  /** Everything that follows the status. */
  async #makeAll(object: KubeObject, outcome: Outcome, { signal }: WriteContext): Promise<"done" | "conflict"> {
    if ((await this.#children.write(object, outcome, signal)) === "conflict") return "conflict";
    for (const effect of outcome.effects) {
      signal.throwIfAborted();
      await effect.run(signal);
    }
    return "done";
  }

  /** Adds the finalizers that the outcome wants, or removes those that it doesn't. */
  async #editFinalizers(object: KubeObject, { finalizers }: Outcome, wanted: boolean, { signal }: WriteContext) {
    const names = Object.keys(finalizers).filter((name) => finalizers[name] === wanted);
    if (names.length === 0) return object;
    return await editFinalizers(this.#options, object, Object.fromEntries(names.map((name) => [name, wanted])), signal);
  }
}
