import { isDeepStrictEqual } from "node:util";
import { ApiError, isRefusal } from "../api/api-error.ts";
import { mergePatch } from "../api/merge-patch.ts";
import type { KubeObject } from "../api/object.ts";
import { isJsonObject } from "../core/json-object.ts";
import { type Outcome, unchanged } from "../outcome/outcome.ts";
import type { Context } from "../outcome/reconciler.ts";
import { attempt, isTimeUp } from "./attempt.ts";
import { type Change, Invocation, type Reason, View } from "./context.ts";
import type { ChangeDeclaration } from "./declarations.ts";
import { diffOf, valueAt } from "./diff.ts";
import { digestOf, type Essence, essenceOf, withStatus } from "./essence.ts";
import { matches } from "./filters.ts";
import type { Memory } from "./memory.ts";
import { asWritable, emptyPatch, type ObjectPatch, type Parts, patchFrom, UnrecordedError } from "./object-patch.ts";
import { againIn, type Cause, type Pass, type Run, type Selected, type Turn } from "./pass.ts";
import type { Progress } from "./persistence.ts";
import { nextAttempt, recordOf } from "./progress.ts";
import { report } from "./report.ts";
import type { Surroundings } from "./surroundings.ts";

const deletion = "deletion";

/** A server error (500) on a write that repeats this often counts as permanent. */
const mostFailures = 3;

/**
 * Create, update, field, resume and delete handlers over the level-triggered engine: a change is the difference
 * between the object and its last handled state, which is stored on the object itself. However often the pass is
 * called, a handler that has ended for a state is not called for it again. One that began with a state that was
 * reverted before all had ended is called for the state that came instead, even if that is the old one: with an empty
 * diff.
 */
export class Changes<T extends KubeObject> {
  readonly #declarations: readonly ChangeDeclaration<T>[];
  readonly #s: Surroundings<T>;
  readonly #remembersStates: boolean;
  readonly #seesUpdates: boolean;
  /** The fields of status that handlers are registered for: only they are recorded of it. */
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

  /**
   * The handlers for changes since the last time, and for an object that existed before this process. A pass that could
   * not be written because the server was unreachable is written first by the next one, without calling its handlers
   * again.
   */
  async handle(object: T, ctx: Context): Promise<Outcome> {
    const memory = this.#s.memories.of(object);
    const pass = (memory.unsettled as Pass<T> | undefined) ?? (await this.#perform(object, memory, ctx));
    memory.unsettled = pass;
    await this.#settle(pass, memory, ctx);
    memory.unsettled = undefined;
    return againAfter(pass.run.again, pass.resume.again, pass.object === object ? undefined : 0);
  }

  async #perform(object: T, memory: Memory, ctx: Context): Promise<Pass<T>> {
    const { persistence } = this.#s;
    const essence = withStatus(essenceOf(object, persistence.prefix), object, this.#statusFields);
    const begun = this.#begun(object, memory);
    const cause = this.#cause(object, essence, begun);
    const changed = cause ? this.#select(object, cause, begun) : [];
    const called = new Set(changed.map(({ declaration }) => declaration.run));
    const resumed = memory.resuming ? this.#selectResumed(object).filter(({ declaration }) => !called.has(declaration.run)) : [];
    if (resumed.length === 0) memory.resuming = undefined;
    const turn: Turn = { patch: emptyPatch(), isOver: false, ctx };
    const digest = changed.length > 0 ? digestOf(essence) : "";
    const run = await this.#run(changed, object, turn, { digest, recall: this.#recall(object, memory, digest) });
    const resume = await this.#run(resumed, object, turn, { digest: "resume", recall: (id) => memory.resuming?.get(id) });
    memory.begun = new Set([...begun, ...run.records.keys()]);
    return { object, essence, cause, changed, resumed, parts: asWritable(turn.patch), run, resume, failures: 0, answer: undefined };
  }

  /**
   * Writes the result of a pass. A permanently refused write fails the attempts that requested it; an unreachable
   * server is thrown.
   */
  async #settle(pass: Pass<T>, memory: Memory, ctx: Context): Promise<void> {
    const { object } = pass;
    if (!pass.answer) {
      const written = await this.#offer(object, pass, pass.parts, ctx);
      pass.answer = { written };
      if (written instanceof UnrecordedError) {
        pass.run = await this.#blame(pass.changed, object, pass.run, written, ctx);
        pass.resume = await this.#blame(pass.resumed, object, pass.resume, written, ctx);
      }
    }
    const { written } = pass.answer;
    if (pass.resume.again === undefined) memory.resuming = undefined;
    else for (const [id, record] of pass.resume.records) memory.resuming?.set(id, record);
    if (!written || !this.#remembersStates) return;
    const handled = this.#handledBy(pass, written);
    const refused = await this.#offer(object, pass, this.#memento(pass, handled, written), ctx, "its progress is refused");
    if (!(refused instanceof UnrecordedError)) {
      memory.unwritten.clear();
      memory.begun = undefined;
      return;
    }
    pass.run = await this.#blame(pass.changed, object, pass.run, refused, ctx);
    for (const [id, record] of pass.run.records) memory.unwritten.set(id, { ...record, of: digestOf(handled) });
  }

  /** The record of a handler's attempts at this state, including results that could not be written. */
  #recall(object: T, memory: Memory, digest: string): (id: string) => Progress | undefined {
    return (id) => {
      const unwritten = memory.unwritten.get(id);
      return unwritten?.of === digest ? unwritten : this.#s.persistence.progress(object, id);
    };
  }

  /** The delete handlers. Returns undefined once all of them have ended: then the finalizer may be removed. */
  async handleDeletion(object: T, ctx: Context): Promise<Outcome | undefined> {
    const memory = this.#s.memories.of(object);
    if (memory.deletionHandled) return undefined;
    const change: Change = { old: undefined, new: undefined, diff: [] };
    const selected = this.#selectDeletions(object).map((declaration): Selected<T> => ({ declaration, reason: "delete", change }));
    const turn: Turn = { patch: emptyPatch(), isOver: false, ctx };
    let run = await this.#run(selected, object, turn, { digest: deletion, recall: this.#recall(object, memory, deletion) });
    const keep = () => {
      for (const [id, record] of run.records) memory.unwritten.set(id, record);
    };
    keep();
    const tried = { failures: 0 };
    const { body, status } = asWritable(turn.patch);
    const progress = this.#unendedDeletion(object, run);
    const parts = { status, body: progress ? (mergePatch(body ?? {}, progress) as typeof body) : body };
    const written = await this.#offer(object, tried, parts, ctx);
    if (written instanceof UnrecordedError) {
      run = await this.#blame(selected, object, run, written, ctx);
      keep();
      await this.#offer(object, tried, { body: this.#unendedDeletion(object, run) }, ctx);
    }
    memory.deletionHandled = run.again === undefined;
    return memory.deletionHandled ? undefined : againAfter(run.again);
  }

  /** The records of delete handlers to store; undefined if nothing is new, or all have ended. */
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

  /** The handlers that may have acted on a state other than the last handled one. */
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

  /** Whether any handler could ever be called for a change of this object: others get no annotations of ours. */
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
    turn: Turn,
    how: { digest: string; recall: (id: string) => Progress | undefined },
  ): Promise<Run> {
    const { clock } = turn.ctx;
    const records = new Map<string, Progress>();
    const called = new Set<string>();
    let isUnfinished = false;
    for (const one of selected) {
      const { id } = one.declaration;
      const known = how.recall(id);
      const before = known?.of === how.digest ? known : undefined;
      const rest = before?.delayed ? (Date.parse(before.delayed) - clock.now().getTime()) / 1000 : 0;
      const isKept = before && (before.ended || rest > 0);
      if (!isKept && (turn.isOver || !this.#s.mayBegin())) {
        isUnfinished = true;
        if (before) records.set(id, before);
        continue;
      }
      if (!isKept) called.add(id);
      records.set(id, isKept ? before : await this.#call(one, object, before, turn, how.digest));
    }
    return { records, called, again: isUnfinished ? 0 : nextAttempt(records, turn.ctx) };
  }

  /**
   * The changes that this pass's handlers requested, or their records, can't be written: those that seemed to have
   * succeeded have failed this attempt.
   */
  async #blame(selected: readonly Selected<T>[], object: T, run: Run, refusal: UnrecordedError, ctx: Context): Promise<Run> {
    const records = new Map(run.records);
    for (const { declaration } of selected) {
      const { id, options } = declaration;
      const record = records.get(id);
      if (record?.ended !== "success" || !run.called.has(id)) continue;
      const attempts = { started: new Date(record.started), retries: record.retries - 1 };
      const attempted = await attempt({ ...options, errors: "temporary" }, attempts, ctx, () => Promise.reject(refusal));
      report(object, id, attempted, ctx);
      records.set(id, recordOf(attempted, { started: record.started, retries: record.retries, of: record.of }, ctx));
    }
    return { records, called: run.called, again: run.again === 0 ? 0 : nextAttempt(records, ctx) };
  }

  async #call(
    { declaration, reason, change }: Selected<T>,
    object: T,
    before: Progress | undefined,
    turn: Turn,
    digest: string,
  ): Promise<Progress> {
    const { ctx } = turn;
    const { id, options, run } = declaration;
    const { clock } = ctx;
    const started = before ? new Date(before.started) : clock.now();
    const retry = before?.retries ?? 0;
    const logger = ctx.logger.child({ handler: id });
    const parts = { ...this.#s.viewParts(object, reason), change };
    const unspoilt = asWritable(turn.patch);
    const at = { clock, signal: ctx.signal, limitSeconds: this.#s.limitSeconds };
    const attempted = await attempt(options, { started, retries: retry }, at, async (signal) => {
      const { patch } = turn;
      const result = await run(new Invocation<T>(parts, { ...ctx, logger, patch, retry, started, signal }));
      if (isTimeUp(signal)) return;
      if (result !== undefined) patch.status[id] = result;
      asWritable(patch);
    });
    ctx.signal.throwIfAborted();
    turn.patch = patchFrom(writableOr(turn.patch, unspoilt));
    if (attempted.straggler) {
      turn.isOver = true;
      ctx.outlasts?.(attempted.straggler);
    }
    report(object, id, attempted, { ...ctx, logger });
    return recordOf(attempted, { started: started.toISOString(), retries: retry + 1, of: digest }, ctx);
  }

  /**
   * Writes. A permanent refusal is returned; a temporary failure is thrown, unless it is a server error that repeats.
   */
  async #offer(
    object: T,
    tried: { failures: number },
    parts: Parts,
    ctx: Context,
    what?: string,
  ): Promise<T | UnrecordedError | undefined> {
    try {
      return await this.#patch(object, parts, ctx);
    } catch (error) {
      tried.failures += 1;
      const isStubborn = error instanceof ApiError && error.status === 500 && tried.failures >= mostFailures;
      if (isRefusal(error) || isStubborn) return new UnrecordedError(error, what);
      throw error;
    }
  }

  /**
   * The state that counts as handled: it includes the handlers' own changes, unless another client wrote at the same
   * time.
   */
  #handledBy({ parts: { body }, object, essence }: Pass<T>, written: T | UnrecordedError): Essence {
    if (written instanceof UnrecordedError || !body) return essence;
    const { prefix } = this.#s.persistence;
    const rest = (each: T) => plain(essenceOf(mergePatch(each, withoutValues(body)) as T, prefix));
    if (!isDeepStrictEqual(rest(written), rest(object))) return essence;
    // Keep the status from the start of the pass, so that status handlers still see later changes.
    return withStatus(essenceOf(written, prefix), object, this.#statusFields);
  }

  /**
   * The records to store, to be written after the handlers' changes: a crash between the two writes calls the handlers
   * again, and never forgets them.
   */
  #memento({ object, parts, cause, run }: Pass<T>, handled: Essence, written: T | UnrecordedError): Parts {
    const { persistence } = this.#s;
    const isOver = run.again === undefined;
    const progress = new Map<string, Progress | null>();
    for (const { kind, id } of this.#declarations) if (kind !== "resume") progress.set(id, null);
    const of = isOver ? "" : digestOf(handled);
    if (!isOver) for (const [id, record] of run.records) progress.set(id, { ...record, of });
    const isChanged = parts.body !== undefined && !(written instanceof UnrecordedError);
    const lastHandled = isOver && (cause || (isChanged && persistence.lastHandled(object))) ? handled : undefined;
    const annotations = persistence.annotations(object, { progress, ...(lastHandled ? { lastHandled } : {}) });
    return annotations ? { body: { metadata: { annotations } } } : {};
  }

  /** Writes, and from then on waits for the cache to catch up. */
  async #patch(object: T, parts: Parts, ctx: Context): Promise<T | undefined> {
    const written = await this.#s.patcher.write(object, parts, ctx.signal);
    if (written && written !== object) this.#s.awaitEcho(written);
    return written;
  }

  #view(object: T, reason: Reason, change?: Change): View<T> {
    return new View<T>({ ...this.#s.viewParts(object, reason), ...(change ? { change } : {}) });
  }
}

/**
 * The change as one handler sees it: its field's, or all but those of status. If only the old digest is known, any
 * field may have changed.
 */
function narrow(change: Change, field: readonly string[] | undefined): Change {
  if (!field) return { ...change, diff: change.diff.filter(({ path }) => path[0] !== "status") };
  const [old, now] = [valueAt(change.old, field), valueAt(change.new, field)];
  const isOldUnknown = change.diff[0]?.op === "change" && change.diff[0].path.length === 0;
  return { old, new: now, diff: isOldUnknown ? [{ op: "change", path: [], old, new: now }] : diffOf(old, now) };
}

function againAfter(...waits: readonly (number | undefined)[]): Outcome {
  const seconds = waits.filter((wait) => wait !== undefined);
  return seconds.length > 0 ? againIn(Math.min(...seconds)) : unchanged();
}

/** The patch as JSON; what it was before a handler put something into it that JSON can't represent. */
function writableOr(patch: ObjectPatch, unspoilt: Parts): Parts {
  try {
    return asWritable(patch);
  } catch {
    return unspoilt;
  }
}

/** The patch that removes each field that this one sets. */
function withoutValues(patch: unknown): unknown {
  return isJsonObject(patch) ? Object.fromEntries(Object.entries(patch).map(([name, value]) => [name, withoutValues(value)])) : null;
}

function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
