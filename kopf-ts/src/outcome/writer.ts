import { hash } from "node:crypto";
import { type ApiError, isAlreadyExists, isConflict, isForbidden, isInvalid, isNotFound, isPassing, isRefusal } from "../api/api-error.ts";
import type { Client } from "../api/client.ts";
import { type DynamicObject, describe, type KubeObject, keyOf, type NewObject, type ObjectKey } from "../api/object.ts";
import type { Resource } from "../api/resource.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { type Condition, type ConditionInput, getCondition, isTerminal } from "./conditions.ts";
import { finalizerPatch } from "./finalizer.ts";
import { Outcome, unchanged } from "./outcome.ts";
import { controllerOf } from "./owner.ts";
import { ForeignObjectError, TerminalError } from "./reconciler.ts";
import type { Recorder } from "./recorder.ts";
import { contradictsEnding, nextStatus, retryingOf, retryingReason, writeFailedReason, writing } from "./status.ts";
import { StatusLoops } from "./status-loop.ts";
import { Unseen } from "./unseen.ts";

/** On a conflict another client wrote first: the next pass, soon, will decide from the current state. */
export type Written = "done" | "conflict" | "gone";

/**
 * A refusal that lasts for longer needs a person: what a new namespace lacks at first, such as its service account, is
 * there by then.
 */
const longRefusalMilliseconds = 60_000;

export interface WriterOptions {
  readonly client: Client;
  readonly resource: Resource;
  readonly fieldManager: string;
  readonly clock: Clock;
  /** The cached object; undefined if no cache has it. */
  readonly cached?: (resource: Resource, key: ObjectKey) => KubeObject | undefined;
  /** Whether a cache will show this object, once the watch has told of it. */
  readonly willShow?: (resource: Resource, object: KubeObject) => boolean;
}

/** A manifest as it was last applied, and the result. */
interface Applied {
  readonly hash: string;
  readonly resourceVersion: string | undefined;
}

export interface WriteContext {
  readonly logger: Logger;
  readonly recorder: Recorder;
  readonly signal: AbortSignal;
  /**
   * Passes over the object have kept failing: the condition about it stays until a whole outcome has been carried out.
   */
  readonly failing?: boolean;
}

/** Carries an Outcome out: every write of the framework to the API is here. */
export class OutcomeWriter {
  readonly #options: WriterOptions;
  readonly #unseen: Unseen;
  readonly #loops: StatusLoops;
  /** By the key of the object, then by the child's. */
  readonly #applied = new Map<string, Map<string, Applied>>();

  /** When the server began to refuse what an object needs, by the object's key. */
  readonly #refusedSince = new Map<string, number>();

  /** Errors that are already reported on their object. */
  readonly #told = new WeakSet<Error>();

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#unseen = new Unseen(options.clock, (resource, key) => options.cached?.(resource, key));
    this.#loops = new StatusLoops(options.clock);
  }

  /** Seconds that the next pass over this object has to wait: until it can see what the last one made, or because its status never comes to rest. */
  pauseBefore(object: KubeObject): number {
    return Math.max(this.#unseen.pause(object), this.#loops.pause(object)) / 1000;
  }

  /**
   * In order, each step only if the one before succeeded: finalizers added → status → events → creates → applies →
   * deletes → effects → finalizers removed. The API's refusals are thrown, except that a lost race is returned.
   * Readiness or success is claimed, and events are published, only when the writes and effects have been made; until
   * then the status says Reconciling. Refusals by the server are reported on the object, as Stalled when they last.
   */
  async write(object: KubeObject, outcome: Outcome, ctx: WriteContext): Promise<Written> {
    const withFinalizers = await this.#addFinalizers(object, outcome, ctx);
    if (typeof withFinalizers === "string") return withFinalizers;
    // The outcome is about the spec that it was decided on, not about a newer one in the response.
    if (withFinalizers.metadata.generation !== object.metadata.generation) return "conflict";
    const isClaim = (outcome.kind === "ready" || outcome.kind === "succeeded") && (await this.#hasWork(object, outcome));
    const retrying = standingFailure(withFinalizers, outcome, ctx);
    const first = retrying ? withFailure(outcome, retrying) : outcome;
    const told = await this.#writeStatus(withFinalizers, first, ctx, isClaim ? (retrying ?? writing) : undefined);
    if (typeof told === "string") return told;
    if (!isClaim) this.#publish(told, outcome, ctx);
    const made = await this.#makeAll(object, outcome, ctx).catch((error: unknown) => this.#sayRefused(told, outcome, error, ctx));
    if (made === "conflict") return made;
    this.#refusedSince.delete(keyOf(object.metadata));
    const current = isClaim || retrying ? await this.#writeStatus(told, outcome, ctx) : told;
    if (typeof current === "string") return current;
    if (isClaim) this.#publish(current, outcome, ctx);
    this.#tellOfLoop(object, current, ctx);
    return await this.#removeFinalizers(current, outcome, ctx);
  }

  #tellOfLoop(object: KubeObject, current: KubeObject, { logger, recorder }: WriteContext): void {
    const fields = this.#loops.passed(object, current);
    if (!fields) return;
    const names = fields.map((field) => `status.${field}`).join(", ");
    const note = `every pass writes ${names} again, which brings the next pass: leave out what differs each time, such as the time; until then there is a second between passes`;
    logger.warn(`the status of ${describe(object)} never comes to rest: ${note}`);
    recorder.event(object, { type: "Warning", reason: "StatusLoop", note });
  }

  /** Whether anything is left to be done after the status: what is applied and stands as it should is not. */
  async #hasWork(object: KubeObject, { creates, applies, deletes, effects }: Outcome): Promise<boolean> {
    if (creates.length + effects.length > 0 || deletes.some(({ metadata }) => !metadata.deletionTimestamp)) return true;
    for (const child of applies) if (!this.#stands(object, await this.#options.client.resources.of(child), child)) return true;
    return false;
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
  async #makeAll(object: KubeObject, outcome: Outcome, ctx: WriteContext): Promise<Written> {
    for (const child of outcome.creates) await this.#create(object, child, ctx.signal);
    for (const child of outcome.applies) await this.#apply(object, child, outcome, ctx.signal);
    if (outcome.applies.length > 0) this.#remember(object, outcome.applies);
    for (const child of outcome.deletes) {
      if ((await this.#delete(child, ctx.signal)) === "conflict") return "conflict";
    }
    for (const effect of outcome.effects) {
      ctx.signal.throwIfAborted();
      await effect.run(ctx.signal);
    }
    return "done";
  }

  /**
   * Throws the error again; a refusal that only a person, or time, can change is first reported on the object, if its
   * status is ours.
   */
  async #sayRefused(object: KubeObject, outcome: Outcome, thrown: unknown, ctx: WriteContext): Promise<never> {
    if (outcome.kind !== "unchanged" && !isTerminal(object) && (isRefusal(thrown) || thrown instanceof ForeignObjectError)) {
      const message = `what this object needs could not be written and is tried again: ${thrown.message}`.slice(0, 1024);
      const condition = { type: this.#typeOfRefusal(object, outcome, thrown), status: "True", reason: writeFailedReason, message } as const;
      const isWhole = condition.type === "Stalled" && isUnderWay(outcome);
      await this.#say(object, isWhole ? withFailure(outcome, condition) : unchanged().condition(condition), ctx);
      this.#told.add(thrown);
    }
    throw thrown;
  }

  /** What the outcome itself says to a person is not replaced, and what time alone changes needs nobody. */
  #typeOfRefusal(object: KubeObject, { kind }: Outcome, thrown: Error): "Reconciling" | "Stalled" {
    if (kind === "stalled" || kind === "failed" || isPassing(thrown)) return "Reconciling";
    const key = keyOf(object.metadata);
    const now = this.#options.clock.monotonic();
    const since = this.#refusedSince.get(key) ?? now;
    this.#refusedSince.set(key, since);
    const isSaid = getCondition(object, "Stalled")?.reason === writeFailedReason;
    return isSaid || now - since >= longRefusalMilliseconds ? "Stalled" : "Reconciling";
  }

  async #addFinalizers(object: KubeObject, outcome: Outcome, ctx: WriteContext): Promise<KubeObject | Written> {
    const wished = Object.fromEntries(Object.entries(outcome.finalizers).filter(([, present]) => present));
    return await this.#editFinalizers(object, wished, ctx);
  }

  async #removeFinalizers(object: KubeObject, outcome: Outcome, ctx: WriteContext): Promise<Written> {
    const wished = Object.fromEntries(Object.entries(outcome.finalizers).filter(([, present]) => !present));
    const edited = await this.#editFinalizers(object, wished, ctx);
    // The object may have been deleted with its last finalizer: that is what was wanted.
    return edited === "conflict" ? "conflict" : "done";
  }

  async #editFinalizers(object: KubeObject, wished: Record<string, boolean>, { signal }: WriteContext): Promise<KubeObject | Written> {
    const patch = finalizerPatch(object, wished);
    if (!patch) return object;
    try {
      return await this.#options.client.patch(this.#options.resource, object.metadata, patch, { signal });
    } catch (error) {
      if (isNotFound(error)) return "gone";
      if (isConflict(error) || (isInvalid(error) && (await this.#hasMoved(object, signal)))) return "conflict";
      throw error;
    }
  }

  /**
   * The server returns 422 for a JSON patch whose test fails, and for one that a policy or a schema refuses: only the
   * first is a lost race.
   */
  async #hasMoved({ metadata }: KubeObject, signal: AbortSignal): Promise<boolean> {
    const live = await this.#options.client.find(this.#options.resource, metadata, { signal });
    return live?.metadata.uid !== metadata.uid || live?.metadata.resourceVersion !== metadata.resourceVersion;
  }

  async #writeStatus(
    object: KubeObject,
    outcome: Outcome,
    { logger, signal }: WriteContext,
    until?: ConditionInput,
  ): Promise<KubeObject | Written> {
    if (contradictsEnding(object, outcome)) {
      if (!object.metadata.deletionTimestamp && !until) {
        logger.warn(`${describe(object)} has ended; the outcome ${outcome.kind} would take that back, so its status stays`, {
          reason: outcome.reason,
        });
      }
      return object;
    }
    const now = this.#options.clock.now();
    const whole = nextStatus(object, outcome, now);
    const status = whole && until ? nextStatus(object, outcome, now, until) : whole;
    if (!status) return object;
    const { client, resource, fieldManager } = this.#options;
    try {
      return await client.status.replace(resource, { ...object, status }, { fieldManager, signal });
    } catch (error) {
      if (isConflict(error)) return "conflict";
      if (isNotFound(error)) return await this.#afterMissingStatus(object, error, signal);
      throw error;
    }
  }

  /**
   * The server returns 404 for the status of an object that is gone, and for every status of a kind while its
   * definition is new (kubernetes/kubernetes#115241): there the object still exists, and the error is thrown for
   * another try. Where the program may not read the object, the next pass decides.
   */
  async #afterMissingStatus(object: KubeObject, error: ApiError, signal: AbortSignal): Promise<Written> {
    try {
      const live = await this.#options.client.find(this.#options.resource, object.metadata, { signal });
      if (live?.metadata.uid !== object.metadata.uid) return "gone";
    } catch (problem) {
      if (isForbidden(problem)) return "conflict";
      throw problem;
    }
    throw error;
  }

  async #create(parent: KubeObject, child: NewObject, signal: AbortSignal): Promise<void> {
    const { client, fieldManager, willShow } = this.#options;
    const resource = await client.resources.of(child);
    try {
      const created = await client.create(resource, child, { fieldManager, signal });
      if (!child.metadata.name && willShow?.(resource, created)) this.#unseen.created(parent, resource, created);
    } catch (error) {
      const { namespace, name } = child.metadata;
      if (!isAlreadyExists(error) || !name) throw error;
      const existing = await client.find(resource, { namespace, name }, { signal });
      // It went in between; the next pass creates it.
      if (!existing) throw error;
      if (!isSameCreation(child, existing))
        throw new ForeignObjectError(
          `${describe(child)} exists already and ${ownerInWords(existing)}; delete or rename it, nothing was changed`,
        );
    }
  }

  /** Skipped while neither the manifest nor (as far as a cache knows) the live object has changed since it was last applied. */
  async #apply(parent: KubeObject, child: DynamicObject, { adopts }: Outcome, signal: AbortSignal): Promise<void> {
    const { client, fieldManager } = this.#options;
    const resource = await client.resources.of(child);
    if (this.#stands(parent, resource, child)) return;
    if (!adopts.includes(child)) await this.#refuseForeign(parent, resource, child, signal);
    const { metadata } = await client.apply(resource, child, { fieldManager, signal });
    this.#appliedBy(parent).set(childID(child), { hash: hashOf(child), resourceVersion: metadata.resourceVersion });
  }

  /** A child that is to be controlled is not taken from others, nor from nobody: it would go with its new owner. Asked once of each child in the life of this process. */
  async #refuseForeign(parent: KubeObject, resource: Resource, child: DynamicObject, signal: AbortSignal): Promise<void> {
    const wanted = controllerOf(child);
    if (!wanted || this.#appliedBy(parent).has(childID(child))) return;
    const { cached, willShow } = this.#options;
    // Somebody else's object need not have the labels by which a cache selects.
    const isShown = willShow?.(resource, { ...child, metadata: { ...child.metadata, labels: {} } });
    const existing = cached?.(resource, child.metadata) ?? (isShown ? undefined : await this.#look(resource, child, signal));
    if (!existing || existing.metadata.ownerReferences?.some(({ uid }) => uid === wanted.uid)) return;
    throw new ForeignObjectError(
      `${describe(child)} exists already and ${ownerInWords(existing)}; delete or rename it, or take it over with .adopting(…); nothing was changed`,
    );
  }

  /** Anyone who may apply an object need not be allowed to read it. */
  async #look(resource: Resource, child: DynamicObject, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#options.client.find(resource, child.metadata, { signal });
    } catch (error) {
      if (isForbidden(error)) return undefined;
      throw error;
    }
  }

  #stands(parent: KubeObject, resource: Resource, child: DynamicObject): boolean {
    const live = this.#options.cached?.(resource, child.metadata);
    const last = live && this.#appliedBy(parent).get(childID(child));
    return last !== undefined && last.resourceVersion === live?.metadata.resourceVersion && last.hash === hashOf(child);
  }

  #appliedBy({ metadata }: KubeObject): Map<string, Applied> {
    const key = keyOf(metadata);
    const known = this.#applied.get(key) ?? new Map<string, Applied>();
    this.#applied.set(key, known);
    return known;
  }

  /** Only what is applied now is recorded, so that memory does not grow for a parent whose children change. */
  #remember(parent: KubeObject, children: readonly KubeObject[]): void {
    const applied = this.#appliedBy(parent);
    const present = new Set(children.map(childID));
    for (const id of applied.keys()) if (!present.has(id)) applied.delete(id);
  }

  /** The object was deleted; its records are removed. */
  forget(key: string): void {
    this.#applied.delete(key);
    this.#unseen.forget(key);
    this.#loops.forget(key);
    this.#refusedSince.delete(key);
  }

  /** Reports on the object that its reconciles keep failing, in addition to the rest of its status. Never throws. */
  async report(object: KubeObject, error: Error, ctx: WriteContext): Promise<void> {
    if (isTerminal(object) || this.#told.has(error)) return;
    const isFinal = error instanceof TerminalError;
    const message = `the reconcile failed ${isFinal ? "permanently" : "and is tried again"}: ${error.message}`.slice(0, 1024);
    const condition = isFinal ? { type: "Stalled", reason: "TerminalError" } : { type: "Reconciling", reason: retryingReason };
    await this.#say(object, unchanged().condition({ ...condition, status: "True", message }), ctx);
  }

  async #say(object: KubeObject, said: Outcome, ctx: WriteContext): Promise<void> {
    try {
      await this.#writeStatus(object, said, ctx);
    } catch (problem) {
      ctx.logger.warn("the failure could not be written to the object's status", { error: problem });
    }
  }

  async #delete(child: KubeObject, signal: AbortSignal): Promise<Written> {
    const { client } = this.#options;
    if (child.metadata.deletionTimestamp) return "done";
    try {
      await client.delete(await client.resources.of(child), child.metadata, { uid: child.metadata.uid, signal });
    } catch (error) {
      if (isConflict(error)) return "conflict";
      if (!isNotFound(error)) throw error;
    }
    return "done";
  }
}

const hashOf = (child: KubeObject) => hash("sha1", JSON.stringify(child));

const childID = ({ kind, metadata }: KubeObject) => `${kind} ${keyOf(metadata)}`;

function ownerInWords(object: KubeObject): string {
  const owner = controllerOf(object);
  return owner ? `belongs to ${owner.kind} ${owner.name} (${owner.uid})` : "belongs to nobody";
}

/** The word on the object that its passes fail, while it has to stay: until a whole outcome has been carried out. */
function standingFailure(object: KubeObject, outcome: Outcome, { failing }: WriteContext): Condition | undefined {
  const standing = asksForMore(outcome) ? retryingOf(object) : undefined;
  if (standing?.type === "Stalled" && (outcome.kind === "stalled" || outcome.kind === "failed")) return undefined;
  return failing || standing?.reason === writeFailedReason ? standing : undefined;
}

/** Whether the outcome says what is going on, in which no person has to act. */
const isUnderWay = ({ kind }: Outcome) => kind === "progressing" || kind === "waiting";

/** The outcome with the word that its writes fail, which is about the whole of it where a person must act. */
function withFailure(outcome: Outcome, condition: ConditionInput): Outcome {
  const { type, reason, message = "" } = condition;
  if (type !== "Stalled" || !isUnderWay(outcome)) return outcome.condition(condition);
  return new Outcome({ ...outcome, kind: "stalled", reason, message });
}

/** Whether the outcome has steps after the status that may fail. */
const asksForMore = ({ creates, applies, deletes, effects }: Outcome) =>
  [creates, applies, deletes, effects].some(({ length }) => length > 0);

/** Whether what exists is what we would have created: the same controller; for one without a controller, every label of ours. */
function isSameCreation(wanted: NewObject, existing: KubeObject): boolean {
  if (controllerOf(wanted)?.uid !== controllerOf(existing)?.uid) return false;
  if (controllerOf(wanted)) return true;
  return Object.entries(wanted.metadata.labels ?? {}).every(([name, value]) => existing.metadata.labels?.[name] === value);
}
