import type { KubeObject } from "../api/object.ts";
import { type Outcome, unchanged } from "../outcome/outcome.ts";
import type { Context } from "../outcome/reconciler.ts";
import { attempt } from "./attempt.ts";
import { View } from "./context.ts";
import type { Declaration, TimerOptions } from "./declarations.ts";
import { valueAt } from "./diff.ts";
import { digestOf, essenceOf } from "./essence.ts";
import { matches } from "./filters.ts";
import type { TimerState } from "./memory.ts";
import { againIn } from "./pass.ts";
import { report } from "./report.ts";
import { runAndWrite } from "./run-and-write.ts";
import type { Surroundings } from "./surroundings.ts";

/**
 * One timer as a reconciler: its queue wakes each object when it is due, so that thousands of objects need only one
 * clock timer, and no run of an object ever overlaps another.
 */
export class Timer<T extends KubeObject> {
  readonly #declaration: Declaration<T, TimerOptions<T>>;
  readonly #s: Surroundings<T>;

  constructor(declaration: Declaration<T, TimerOptions<T>>, surroundings: Surroundings<T>) {
    this.#declaration = declaration;
    this.#s = surroundings;
  }

  async reconcile(object: T, ctx: Context): Promise<Outcome> {
    const { id, options, field } = this.#declaration;
    const memory = this.#s.memories.of(object);
    const isFor =
      !object.metadata.deletionTimestamp &&
      (!field || valueAt(object, field) !== undefined) &&
      matches(options, new View<T>(this.#s.viewParts(object, "timer")));
    if (!isFor) {
      memory.timers.delete(id);
      return unchanged();
    }
    const now = ctx.clock.monotonic();
    const state = memory.timers.get(id) ?? this.#begin(now);
    memory.timers.set(id, state);
    if (state.over) return unchanged();
    const due = Math.max(state.due, this.#idleUntil(object, state, now));
    if (due > now) return againIn((due - now) / 1000);
    await this.#run(object, state, ctx);
    return state.over ? unchanged() : againIn((state.due - ctx.clock.monotonic()) / 1000);
  }

  #begin(now: number): TimerState {
    const { initialDelay = 0 } = this.#declaration.options;
    return { due: now + initialDelay * 1000, digest: "", since: now, trying: undefined, over: false };
  }

  #idleUntil(object: T, state: TimerState, now: number): number {
    const { idle } = this.#declaration.options;
    if (idle === undefined) return now;
    const digest = digestOf(essenceOf(object, this.#s.persistence.prefix));
    if (digest !== state.digest) {
      state.digest = digest;
      state.since = now;
    }
    return state.since + idle * 1000;
  }

  async #run(object: T, state: TimerState, ctx: Context): Promise<void> {
    if (!this.#s.mayBegin()) return;
    const { id, options } = this.#declaration;
    const { clock } = ctx;
    const began = clock.monotonic();
    const trying = state.trying ?? { started: clock.now(), retries: 0 };
    const logger = ctx.logger.child({ handler: id });
    const retrying = { retry: trying.retries, started: trying.started };
    const at = { clock, signal: ctx.signal, limitSeconds: this.#s.limitSeconds };
    const attempted = await attempt(options, trying, at, (signal) =>
      runAndWrite(this.#declaration, object, this.#s, {
        view: this.#s.viewParts(object, "timer"),
        run: { ...ctx, logger, signal, ...retrying },
      }),
    );
    if (attempted.straggler) ctx.outlasts?.(attempted.straggler);
    ctx.signal.throwIfAborted();
    report(object, id, attempted, { ...ctx, logger }, "for this object by this process");
    const ended = clock.monotonic();
    state.trying = attempted.ended ? undefined : { ...trying, retries: trying.retries + 1 };
    state.over = attempted.ended === "failure";
    if (attempted.ended === undefined) state.due = ended + attempted.again * 1000;
    else state.due = options.sharp ? nextTurn(began, ended, options.interval * 1000) : ended + options.interval * 1000;
  }
}

/** The first whole interval after `began` that is not over yet. */
function nextTurn(began: number, ended: number, interval: number): number {
  return began + Math.max(1, Math.ceil((ended - began) / interval)) * interval;
}
