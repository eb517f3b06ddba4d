import { type KubeObject, keyOf } from "../api/object.ts";
import { type Change, isResync } from "../cache/store.ts";
import { checkOnRead } from "../core/abort-signals.ts";
import { errorOf, messageOf } from "../core/errors.ts";
import { Invocation, View, type ViewParts } from "./context.ts";
import type { Declaration, EventHandler } from "./declarations.ts";
import { valueAt } from "./diff.ts";
import { matches } from "./filters.ts";
import { emptyPatch } from "./object-patch.ts";
import { notRecorded } from "./report.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * Event handlers: called for the cache's changes, in order for each object, once; their errors are logged and not
 * retried.
 */
export class Events<T extends KubeObject> {
  readonly #declarations: readonly Declaration<T>[];
  readonly #s: Surroundings<T>;
  readonly #running = new Map<string, Promise<void>>();
  readonly #stop = new AbortController();
  #closed = false;

  constructor(declarations: readonly Declaration<T>[], surroundings: Surroundings<T>) {
    this.#declarations = declarations;
    this.#s = surroundings;
    checkOnRead(this.#stop.signal, () => surroundings.mayBegin());
  }

  hear(change: Change<T>): void {
    if (this.#closed || this.#declarations.length === 0 || isResync(change)) return;
    const { object } = change;
    // Now, not in its turn: by then the object may be deleted, and its memory with it.
    this.#s.memories.of(object);
    const parts = this.#s.viewParts(object, "event");
    const view = new View<T>(parts);
    const called = this.#declarations.filter((declaration) => this.#isFor(declaration, object, view));
    if (called.length === 0) return;
    const key = keyOf(object.metadata);
    const turn = (this.#running.get(key) ?? Promise.resolve()).then(() => this.#call(called, change, parts));
    this.#running.set(key, turn);
    void turn.then(() => {
      if (this.#running.get(key) === turn) this.#running.delete(key);
    });
  }

  /** A filter that fails concerns its own handler alone. */
  #isFor({ id, options, field }: Declaration<T>, object: T, view: View<T>): boolean {
    try {
      return (!field || valueAt(object, field) !== undefined) && matches(options, view);
    } catch (error) {
      this.#s.logger.error(`a filter of event handler ${id} failed; the handler is not called`, {
        object: keyOf(object.metadata),
        error: errorOf(error),
      });
      return false;
    }
  }

  async drain(): Promise<void> {
    this.#closed = true;
    await Promise.all(this.#running.values());
  }

  abort(reason: Error): void {
    this.#closed = true;
    this.#stop.abort(reason);
  }

  async #call(declarations: readonly Declaration<T>[], change: Change<T>, parts: ViewParts<T>): Promise<void> {
    const { object } = change;
    const patch = emptyPatch();
    for (const { id, run } of declarations) {
      if (!this.#s.mayBegin()) return;
      const logger = this.#s.logger.child({ handler: id, object: object.metadata.name });
      const { client, cache, clock, recorder } = this.#s;
      const fields = { client, cache, clock, recorder, logger, patch, retry: 0, started: clock.now(), signal: this.#stop.signal };
      const invocation = new Invocation<T>(parts, fields);
      try {
        await (run as EventHandler<T>)(Object.assign(invocation, { type: typeOf(change) }));
      } catch (error) {
        logger.error(`event handler ${id} failed; events are not told twice`, { error: errorOf(error) });
      }
    }
    if (change.type === "deleted") return;
    const { logger, recorder } = this.#s;
    await this.#s.writeResult(object, patch, logger).catch((error: unknown) => {
      logger.error("what event handlers asked for can never be written", { error });
      recorder.event(object, { type: "Warning", reason: notRecorded, note: messageOf(error) });
    });
  }
}

function typeOf<T extends KubeObject>(change: Change<T>): "ADDED" | "MODIFIED" | "DELETED" | null {
  if (change.type === "added") return change.initial ? null : "ADDED";
  return change.type === "updated" ? "MODIFIED" : "DELETED";
}
