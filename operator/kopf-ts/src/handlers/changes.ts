import { isDeepStrictEqual } from "node:util";
import { ApiError } from "../api-error.ts";
import { mergePatch } from "../merge-patch.ts";
import { describe, type KubeObject } from "../object.ts";
import { type Outcome, unchanged } from "../outcome.ts";
import type { Context } from "../reconciler.ts";
import { type Attempted, attempt } from "./attempt.ts";
import { type Change, Invocation, type Reason, View } from "./context.ts";
import type { ChangeDeclaration } from "./declarations.ts";
import { diffOf, valueAt } from "./diff.ts";
import { digestOf, type Essence, essenceOf, withStatus } from "./essence.ts";
import { matches } from "./filters.ts";
import type { Memory } from "./memory.ts";
import { emptyPatch, type ObjectPatch, partsOf } from "./object-patch.ts";
import type { Progress } from "./persistence.ts";
import type { Surroundings } from "./resource-handlers.ts";

/** A handler and what it is called with. */
interface Selected<T extends KubeObject> {
  readonly declaration: ChangeDeclaration<T>;
  readonly reason: Reason;
  readonly change: Change;
}

/** What came of one pass over the selected handlers. */
interface Run {
  readonly records: ReadonlyMap<string, Progress>;
  /** Those of them that were called in this pass. */
  readonly called: ReadonlySet<string>;
  /** Seconds until the next attempt; undefined: all have ended. */
  readonly again: number | undefined;
}

/** Why handlers of changes are called. */
interface Cause {
  readonly reason: "create" | "update";
  readonly change: Change;
}

const deletion = "deletion";

/**
 * Create, update, field, resume and delete handlers over the level-triggered engine: what changed is the difference
 * between the object and the state that was handled last, which the object itself remembers. However often the pass is
 * called, a handler that has ended for a state is not called for it again. One that began with a state that was taken
 * back before all had ended is called for the state that came instead, even if that is the old one: with an empty diff.
 */
export class Changes<T extends KubeObject> {
  readonly #declarations: readonly ChangeDeclaration<T>[];
  readonly #s: Surroundings<T>;
  readonly #remembersStates: boolean;
  readonly #seesUpdates: boolean;
  /** The fields of status that a handler is for: only they are remembered of it. */
  readonly #statusFields: readonly (readonly string[])[];

  constructor(declarations: readonly ChangeDeclaration<T>[], surroundings: Surroundings<T>) {
    this.#declarations = declarations;
    this.#s = surroundings;
    const has = (...kinds: ChangeDeclaration<T>["kind"][]) => declarations.some(({ kind }) => kinds.includes(kind));
    this.#remembersStates = has("create", "update", "field");
    this.#seesUpdates = has("update", "field");
    this.#statusFields = declarations.flatMap(({ field }) => (field?.[0] === "status" ? [field] : []));
  }

  /** Whether a delete handler is for this object that its deletion has to wait for. */
  needsFinalizer(object: T): boolean {
    return this.#selectDeletions(object).some(({ options }) => !options.optional);
  }

  /** The handlers for what changed since the last time, and for an object that was there before us. */
  async handle(object: T, ctx: Context): Promise<Outcome> {
    const { persistence, memories } = this.#s;
    const essence = withStatus(essenceOf(object, persistence.prefix), object, this.#statusFields);
    const memory = memories.of(object);
    const begun = this.#begun(object, memory);
    const cause = this.#cause(object, essence, begun);
    const changed = cause ? this.#select(object, cause, begun) : [];
    const called = new Set(changed.map(({ declaration }) => declaration.run));
    const resumed = memory.resuming ? this.#selectResumed(object).filter(({ declaration }) => !called.has(declaration.run)) : [];
    if (resumed.length === 0) memory.resuming = undefined;
    const patch = emptyPatch();
    const digest = changed.length > 0 ? digestOf(essence) : "";
    let run = await this.#run(changed, object, { patch, digest, ctx, recall: (id) => persistence.progress(object, id) });
    const resumption = memory.resuming;
    let resume = await this.#run(resumed, object, { patch, digest: "resume", ctx, recall: (id) => resumption?.get(id) });
    memory.begun = new Set([...begun, ...run.records.keys()]);
    const written = await this.#offer(object, partsOf(patch), ctx);
    if (written instanceof ApiError) {
      run = await this.#blame(changed, object, run, written, ctx);
      resume = await this.#blame(resumed, object, resume, written, ctx);
    }
    if (resume.again === undefined) memory.resuming = undefined;
    else for (const [id, record] of resume.records) resumption?.set(id, record);
    if (written) await this.#remember(object, { patch, written, essence, cause, run }, ctx);
    memory.begun = undefined;
    return againAfter(run.again, resume.again);
  }

  /** The delete handlers. Answers undefined once all of them have ended: then the finalizer may go. */
  async handleDeletion(object: T, ctx: Context): Promise<Outcome | undefined> {
    const memory = this.#s.memories.of(object);
    if (memory.deletionHandled) return undefined;
    const change: Change = { old: undefined, new: undefined, diff: [] };
    const selected = this.#selectDeletions(object).map((declaration): Selected<T> => ({ declaration, reason: "delete", change }));
    const patch = emptyPatch();
    const recall = (id: string) => this.#s.persistence.progress(object, id);
    const run = await this.#run(selected, object, { patch, digest: deletion, ctx, recall });
    memory.deletionHandled = run.again === undefined;
    const { body, status } = partsOf(patch);
    const progress = this.#unendedDeletion(object, run);
    const written = await this.#offer(object, { status, body: progress ? (mergePatch(body ?? {}, progress) as typeof body) : body }, ctx);
    if (!(written instanceof ApiError)) return memory.deletionHandled ? undefined : againAfter(run.again);
    const blamed = await this.#blame(selected, object, run, written, ctx);
    memory.deletionHandled = blamed.again === undefined;
    await this.#patch(object, { body: this.#unendedDeletion(object, blamed) }, ctx);
    return memory.deletionHandled ? undefined : againAfter(blamed.again);
  }

  /** What has to be remembered of delete handlers; undefined where that is nothing new, or all have ended. */
  #unendedDeletion(object: T, { records, again }: Run): { metadata: object } | undefined {
    const annotations = again === undefined ? undefined : this.#s.persistence.annotations(object, { progress: records });
    return annotations && { metadata: { annotations } };
  }

  #selectDeletions(object: T): ChangeDeclaration<T>[] {
    const view = this.#view(object, "delete");
    return this.#declarations.filter(
      ({ kind, options, field }) => kind === "delete" && (!field || valueAt(object, field) !== undefined) && matches(options, view),
    );
  }

  /** The handlers that may have acted on a state other than the one that was handled last. */
  #begun(object: T, memory: Memory): ReadonlySet<string> {
    const begun = new Set(memory.begun);
    for (const { kind, id } of this.#declarations) {
      if ((kind === "update" || kind === "field") && this.#s.persistence.progress(object, id)) begun.add(id);
    }
    return begun;
  }

  #cause(object: T, essence: Essence, begun: ReadonlySet<string>): Cause | undefined {
    if (!this.#remembersStates || !this.#isWatched(object)) return undefined;
    if (begun.size === 0 && this.#s.persistence.isHandled(object, essence)) return undefined;
    const last = this.#s.persistence.lastHandled(object);
    if (!last) return { reason: "create", change: { old: last, new: essence, diff: [{ op: "add", path: [], old: last, new: essence }] } };
    if (!this.#seesUpdates) return undefined;
    const old = typeof last === "string" ? undefined : last;
    const isSame = last === digestOf(essence);
    const diff = old ? diffOf(old, essence) : isSame ? [] : [{ op: "change" as const, path: [], old, new: essence }];
    return diff.length > 0 || begun.size > 0 ? { reason: "update", change: { old, new: essence, diff } } : undefined;
  }

  /** Whether any handler could ever be called for a change of this object: others are left without our annotations. */
  #isWatched(object: T): boolean {
    const view = this.#view(object, "update");
    return this.#declarations.some(
      ({ kind, options }) => (kind === "create" || kind === "update" || kind === "field") && matches(options, view),
    );
  }

  #select(object: T, { reason, change }: Cause, begun: ReadonlySet<string>): Selected<T>[] {
    const selected: Selected<T>[] = [];
    const called = new Set<unknown>();
    for (const declaration of this.#declarations) {
      const { kind, options, run, id, field } = declaration;
      if ((kind !== reason && kind !== "field") || called.has(run)) continue;
      const narrowed = narrow(change, field);
      const isConcerned = narrowed.diff.length > 0 || begun.has(id);
      if (!isConcerned || !matches(options, this.#view(object, reason, narrowed))) continue;
      called.add(run);
      selected.push({ declaration, reason, change: narrowed });
    }
    return selected;
  }

  #selectResumed(object: T): Selected<T>[] {
    const view = this.#view(object, "resume");
    const change: Change = { old: undefined, new: undefined, diff: [] };
    return this.#declarations
      .filter(({ kind, options, field }) => kind === "resume" && (!field || valueAt(object, field) !== undefined) && matches(options, view))
      .map((declaration) => ({ declaration, reason: "resume", change }));
  }

  async #run(
    selected: readonly Selected<T>[],
    object: T,
    how: { patch: ObjectPatch; digest: string; ctx: Context; recall: (id: string) => Progress | undefined },
  ): Promise<Run> {
    const records = new Map<string, Progress>();
    const called = new Set<string>();
    for (const one of selected) {
      const { id } = one.declaration;
      const known = how.recall(id);
      const before = known?.of === how.digest ? known : undefined;
      const rest = before?.delayed ? (Date.parse(before.delayed) - how.ctx.clock.now().getTime()) / 1000 : 0;
      const isKept = before && (before.ended || rest > 0);
      if (!isKept) called.add(id);
      records.set(id, isKept ? before : await this.#call(one, object, before, how));
    }
    return { records, called, again: nextAttempt(records, how.ctx) };
  }

  /** The server refuses what the handlers of this pass asked for together: those that thought that they had succeeded have failed this attempt. */
  async #blame(selected: readonly Selected<T>[], object: T, run: Run, refusal: ApiError, ctx: Context): Promise<Run> {
    const records = new Map(run.records);
    for (const { declaration } of selected) {
      const { id, options } = declaration;
      const record = records.get(id);
      if (record?.ended !== "success" || !run.called.has(id)) continue;
      const attempts = { started: new Date(record.started), retries: record.retries - 1 };
      const attempted = await attempt(
        options,
        attempts,
        () => ctx.clock.now(),
        () => Promise.reject(new Error(`what the handlers asked for in their patch is refused: ${refusal.message}`, { cause: refusal })),
      );
      report(object, id, attempted, ctx);
      records.set(id, recordOf(attempted, { started: record.started, retries: record.retries, of: record.of }, ctx));
    }
    return { records, called: run.called, again: nextAttempt(records, ctx) };
  }

  async #call(
    { declaration, reason, change }: Selected<T>,
    object: T,
    before: Progress | undefined,
    { patch, digest, ctx }: { patch: ObjectPatch; digest: string; ctx: Context },
  ): Promise<Progress> {
    const { id, options, run } = declaration;
    const { clock } = ctx;
    const started = before ? new Date(before.started) : clock.now();
    const retry = before?.retries ?? 0;
    const logger = ctx.logger.child({ handler: id });
    const parts = { ...this.#s.viewParts(object, reason), change };
    const invocation = new Invocation<T>(parts, { ...ctx, logger, patch, retry, started });
    const attempted = await attempt(
      options,
      { started, retries: retry },
      () => clock.now(),
      () => run(invocation),
    );
    ctx.signal.throwIfAborted();
    report(object, id, attempted, { ...ctx, logger });
    if (attempted.ended === "success" && attempted.result !== undefined) patch.status[id] = attempted.result;
    return recordOf(attempted, { started: started.toISOString(), retries: retry + 1, of: digest }, ctx);
  }

  /** Writes what handlers asked for. A refusal that the same patch would meet again is an answer, not thrown. */
  async #offer(object: T, parts: ReturnType<typeof partsOf>, ctx: Context): Promise<T | ApiError | undefined> {
    try {
      return await this.#patch(object, parts, ctx);
    } catch (error) {
      if (isFinalRefusal(error)) return error;
      throw error;
    }
  }

  /**
   * After what the handlers asked for, what has to be remembered: a crash between the two calls them again, and never
   * forgets them. What they changed themselves counts as handled, unless somebody else wrote at the same time.
   */
  async #remember(
    object: T,
    pass: { patch: ObjectPatch; written: T | ApiError; essence: Essence; cause: Cause | undefined; run: Run },
    ctx: Context,
  ): Promise<void> {
    if (!this.#remembersStates) return;
    const { persistence } = this.#s;
    const { written } = pass;
    const { body } = written instanceof ApiError ? {} : partsOf(pass.patch);
    const expected = body && essenceOf(mergePatch(object, body) as T, persistence.prefix);
    const found = body && essenceOf(written as T, persistence.prefix);
    // What became of status meanwhile is news to whoever is for it.
    const isOurs = found && isDeepStrictEqual(plain(found), plain(expected));
    const handled = isOurs ? withStatus(found, object, this.#statusFields) : pass.essence;
    const isOver = pass.run.again === undefined;
    const progress = new Map<string, Progress | null>();
    for (const { kind, id } of this.#declarations) if (kind !== "resume") progress.set(id, null);
    const of = isOver ? "" : digestOf(handled);
    if (!isOver) for (const [id, record] of pass.run.records) progress.set(id, { ...record, of });
    const lastHandled = isOver && (pass.cause || (body && persistence.lastHandled(object))) ? handled : undefined;
    const annotations = persistence.annotations(object, { progress, ...(lastHandled ? { lastHandled } : {}) });
    if (annotations) await this.#patch(object, { body: { metadata: { annotations } } }, ctx);
  }

  /** Writes, and from then on waits for the cache to show it. */
  async #patch(object: T, parts: { body?: unknown; status?: unknown }, ctx: Context): Promise<T | undefined> {
    const written = await this.#s.patcher.write(object, parts as { body?: Record<string, unknown> }, ctx.signal);
    if (written && written !== object) this.#s.awaitEcho(written);
    return written;
  }

  #view(object: T, reason: Reason, change?: Change): View<T> {
    return new View<T>({ ...this.#s.viewParts(object, reason), ...(change ? { change } : {}) });
  }
}

/** Whether the server would refuse the same request again, whoever else writes or however long one waits. */
function isFinalRefusal(error: unknown): error is ApiError {
  return error instanceof ApiError && error.status >= 400 && error.status < 500 && ![401, 404, 408, 409, 429].includes(error.status);
}

function recordOf(attempted: Attempted, record: Pick<Progress, "started" | "retries" | "of">, { clock }: Context): Progress {
  if (attempted.ended === "success") return { ...record, ended: "success" };
  if (attempted.ended === "failure") return { ...record, ended: "failure", message: attempted.error.message };
  const delayed = new Date(clock.now().getTime() + attempted.again * 1000).toISOString();
  return { ...record, delayed, message: attempted.error.message };
}

/** Seconds until the first of the attempts that are still to be made. */
function nextAttempt(records: ReadonlyMap<string, Progress>, { clock }: Context): number | undefined {
  const waits = [...records.values()]
    .filter(({ ended }) => !ended)
    .map(({ delayed }) => Math.max(0, (Date.parse(delayed ?? "") - clock.now().getTime()) / 1000));
  return waits.length > 0 ? Math.min(...waits) : undefined;
}

/** The change as one handler sees it: its field's, or all but those of status. Where only the old digest is known, any field may have changed. */
function narrow(change: Change, field: readonly string[] | undefined): Change {
  if (!field) return { ...change, diff: change.diff.filter(({ path }) => path[0] !== "status") };
  const [old, now] = [valueAt(change.old, field), valueAt(change.new, field)];
  const isOldUnknown = change.diff[0]?.op === "change" && change.diff[0].path.length === 0;
  return { old, new: now, diff: isOldUnknown ? [{ op: "change", path: [], old, new: now }] : diffOf(old, now) };
}

export function report(
  object: KubeObject,
  id: string,
  attempted: Attempted,
  { logger, recorder }: Pick<Context, "logger" | "recorder">,
  until = "until the object changes",
): void {
  if (attempted.ended === "success") {
    if (attempted.ignored) logger.warn(`handler ${id} failed; its errors are ignored`, { error: attempted.ignored });
    return;
  }
  const { message } = attempted.error;
  if (attempted.ended === undefined) {
    logger.warn(`handler ${id} failed and is tried again in ${attempted.again} s`, { error: message });
    return;
  }
  logger.error(`handler ${id} failed for good on ${describe(object)}; it is not tried again ${until}`, {
    error: attempted.error,
  });
  recorder.event(object, { type: "Warning", reason: "HandlerFailed", note: `handler ${id} failed for good: ${message}` });
}

function againAfter(...waits: readonly (number | undefined)[]): Outcome {
  let outcome = unchanged();
  for (const wait of waits) if (wait !== undefined) outcome = outcome.again(wait);
  return outcome;
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
