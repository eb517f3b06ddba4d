import type { KubeObject } from "../api/object.ts";
import { checkOnRead } from "../core/abort-signals.ts";
import { sleep } from "../core/clock.ts";
import type { Context } from "../outcome/reconciler.ts";
import { attempt } from "./attempt.ts";
import { View } from "./context.ts";
import type { DaemonOptions, Declaration } from "./declarations.ts";
import { valueAt } from "./diff.ts";
import { matches } from "./filters.ts";
import type { Daemon } from "./memory.ts";
import { report } from "./report.ts";
import { runAndWrite } from "./run-and-write.ts";
import type { Surroundings } from "./surroundings.ts";

/** Keeps a daemon running for each object that it is for. */
export class Daemons<T extends KubeObject> {
  readonly #declarations: readonly Declaration<T, DaemonOptions<T>>[];
  readonly #s: Surroundings<T>;
  /** Called when a daemon has ended: a pass may be waiting for it. */
  readonly #ended: (object: T) => void;
  /** Those that have neither ended nor been abandoned, of deleted objects too. */
  readonly #running = new Set<Daemon>();
  #closed = false;

  constructor(declarations: readonly Declaration<T, DaemonOptions<T>>[], surroundings: Surroundings<T>, ended: (object: T) => void) {
    this.#declarations = declarations;
    this.#s = surroundings;
    this.#ended = ended;
  }

  /** Whether any daemon is for this object: then its deletion waits for the daemon's end. */
  isFor(object: T): boolean {
    return this.#declarations.some((declaration) => this.#matches(declaration, object));
  }

  /** Starts wanted daemons, stops the others. Returns true when none is left to stop. */
  tend(object: T, ctx: Context): boolean {
    if (this.#declarations.length === 0) return true;
    const { daemons } = this.#s.memories.of(object);
    let settled = true;
    for (const declaration of this.#declarations) {
      const running = daemons.get(declaration.id);
      const wanted = !this.#closed && !object.metadata.deletionTimestamp && this.#matches(declaration, object);
      if (wanted && !running) daemons.set(declaration.id, this.#start(declaration, object, ctx));
      if (wanted || !running) continue;
      this.#stop(declaration, running, object);
      if (running.ended) daemons.delete(declaration.id);
      else settled = false;
    }
    return settled;
  }

  /** The object was deleted, finalizer or not. */
  stopAll(object: T): void {
    for (const daemon of this.#s.memories.find(object)?.daemons.values() ?? []) daemon.stop.abort(new Error("the object is gone"));
  }

  /** Signals all to end; resolves once they have. */
  async drain(): Promise<void> {
    this.#closed = true;
    const running = [...this.#running];
    for (const { stop } of running) stop.abort(new Error("the program stops"));
    await Promise.all(running.map(({ done }) => done));
  }

  #matches({ options, field }: Declaration<T, DaemonOptions<T>>, object: T): boolean {
    return (!field || valueAt(object, field) !== undefined) && matches(options, new View<T>(this.#s.viewParts(object, "daemon")));
  }

  #stop({ id, options: { cancellationTimeout } }: Declaration<T, DaemonOptions<T>>, daemon: Daemon, object: T): void {
    if (daemon.stop.signal.aborted) return;
    daemon.stop.abort(new Error("the object goes away or is no longer one for this daemon"));
    if (cancellationTimeout === undefined) return;
    const cancel = this.#s.clock.schedule(cancellationTimeout * 1000, () => {
      if (daemon.ended) return;
      daemon.ended = true;
      this.#running.delete(daemon);
      this.#s.logger.warn(
        `daemon ${id} of ${object.kind} ${object.metadata.name} did not end within ${cancellationTimeout} s and is left to itself`,
      );
      this.#ended(object);
    });
    void daemon.done.then(cancel);
  }

  #start(declaration: Declaration<T, DaemonOptions<T>>, object: T, ctx: Context): Daemon {
    const stop = new AbortController();
    checkOnRead(stop.signal, () => this.#s.mayBegin());
    const { promise: done, resolve } = Promise.withResolvers<void>();
    const daemon: Daemon = { stop, done, ended: false };
    this.#running.add(daemon);
    void this.#run(declaration, object, { ...ctx, signal: stop.signal }).then(() => {
      daemon.ended = true;
      this.#running.delete(daemon);
      resolve();
      this.#ended(object);
    });
    return daemon;
  }

  /** Runs until it succeeds, fails permanently or is signalled to end. Never rejects. */
  async #run(declaration: Declaration<T, DaemonOptions<T>>, object: T, ctx: Context): Promise<void> {
    const { id, options } = declaration;
    const { clock, signal } = ctx;
    const logger = ctx.logger.child({ handler: id });
    const view = { ...this.#s.viewParts(object, "daemon"), read: () => this.#s.newest(object) };
    if (options.initialDelay) await sleep(clock, options.initialDelay * 1000, signal);
    const started = clock.now();
    for (let retry = 0; !signal.aborted && this.#s.mayBegin(); retry += 1) {
      const attempted = await attempt(options, { started, retries: retry }, { clock, signal }, (own) =>
        runAndWrite(declaration, object, this.#s, { view, run: { ...ctx, logger, signal: own, retry, started } }),
      );
      // An error that it throws because it was signalled to end is not a failure.
      const wasEnded = signal.aborted && attempted.ended !== "success";
      if (!wasEnded) report(object, id, attempted, { ...ctx, logger }, "while the object matches");
      // Its object waits until it has really ended.
      await attempted.straggler?.catch(() => undefined);
      if (attempted.ended) return;
      await sleep(clock, attempted.again * 1000, signal);
    }
  }
}
