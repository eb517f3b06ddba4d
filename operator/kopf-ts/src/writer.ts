import { hash } from "node:crypto";
import { isAlreadyExists, isConflict, isInvalid, isNotFound } from "./api-error.ts";
import type { Client } from "./client.ts";
import type { Clock } from "./clock.ts";
import { isTerminal } from "./conditions.ts";
import { finalizerPatch } from "./finalizer.ts";
import type { Logger } from "./logger.ts";
import { type DynamicObject, describe, type KubeObject, keyOf, type ObjectKey } from "./object.ts";
import { type Outcome, unchanged } from "./outcome.ts";
import { controllerOf } from "./owner.ts";
import { ForeignObjectError, TerminalError } from "./reconciler.ts";
import type { Recorder } from "./recorder.ts";
import type { Resource } from "./resource.ts";
import { contradictsEnding, nextStatus, retryingOf, retryingReason } from "./status.ts";

/** Somebody wrote before us: the next pass, soon, will decide from what is true now. */
export type Written = "done" | "conflict" | "gone";

export interface WriterOptions {
  readonly client: Client;
  readonly resource: Resource;
  readonly fieldManager: string;
  readonly clock: Clock;
  /** What a cache knows of an object; undefined if nothing does. */
  readonly cached?: (resource: Resource, key: ObjectKey) => KubeObject | undefined;
}

/** A manifest as it was last applied, and what came of it. */
interface Applied {
  readonly hash: string;
  readonly resourceVersion: string | undefined;
}

export interface WriteContext {
  readonly logger: Logger;
  readonly recorder: Recorder;
  readonly signal: AbortSignal;
  /** Passes over the object have kept failing: what says so stays on it until a whole outcome has been carried out. */
  readonly failing?: boolean;
}

/** Carries an Outcome out: every write of the framework to the API is here. */
export class OutcomeWriter {
  readonly #options: WriterOptions;
  /** By the key of the object, then by the child's. */
  readonly #applied = new Map<string, Map<string, Applied>>();

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /**
   * In order, each step only if the one before succeeded: finalizers added → status → events → creates → applies →
   * deletes → effects → finalizers removed. What the API refuses is thrown, except that a lost race is an answer.
   */
  async write(object: KubeObject, outcome: Outcome, ctx: WriteContext): Promise<Written> {
    const withFinalizers = await this.#addFinalizers(object, outcome, ctx);
    if (typeof withFinalizers === "string") return withFinalizers;
    // The outcome is about the spec that it was decided on, not about one that came with the answer.
    if (withFinalizers.metadata.generation !== object.metadata.generation) return "conflict";
    const retrying = ctx.failing && asksForMore(outcome) ? retryingOf(withFinalizers) : undefined;
    const told = await this.#writeStatus(withFinalizers, retrying ? outcome.condition(retrying) : outcome, ctx);
    if (typeof told === "string") return told;
    for (const event of outcome.events) ctx.recorder.event(told, event);
    for (const child of outcome.creates) await this.#create(child, ctx.signal);
    for (const child of outcome.applies) await this.#apply(object, child, ctx.signal);
    if (outcome.applies.length > 0) this.#remember(object, outcome.applies);
    for (const child of outcome.deletes) {
      if ((await this.#delete(child, ctx.signal)) === "conflict") return "conflict";
    }
    for (const effect of outcome.effects) {
      ctx.signal.throwIfAborted();
      await effect.run(ctx.signal);
    }
    const current = retrying ? await this.#writeStatus(told, outcome, ctx) : told;
    if (typeof current === "string") return current;
    return await this.#removeFinalizers(current, outcome, ctx);
  }

  async #addFinalizers(object: KubeObject, outcome: Outcome, ctx: WriteContext): Promise<KubeObject | Written> {
    const wished = Object.fromEntries(Object.entries(outcome.finalizers).filter(([, present]) => present));
    return await this.#editFinalizers(object, wished, ctx);
  }

  async #removeFinalizers(object: KubeObject, outcome: Outcome, ctx: WriteContext): Promise<Written> {
    const wished = Object.fromEntries(Object.entries(outcome.finalizers).filter(([, present]) => !present));
    const edited = await this.#editFinalizers(object, wished, ctx);
    // The object may be gone with its last finalizer: that is what was wanted.
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

  /** A JSON patch whose test fails is answered with 422, and so is one that a policy or a schema refuses: only the first is a lost race. */
  async #hasMoved({ metadata }: KubeObject, signal: AbortSignal): Promise<boolean> {
    const live = await this.#options.client.find(this.#options.resource, metadata, { signal });
    return live?.metadata.uid !== metadata.uid || live?.metadata.resourceVersion !== metadata.resourceVersion;
  }

  async #writeStatus(object: KubeObject, outcome: Outcome, { logger, signal }: WriteContext): Promise<KubeObject | Written> {
    if (contradictsEnding(object, outcome)) {
      if (!object.metadata.deletionTimestamp) {
        logger.warn(`${describe(object)} has ended; the outcome ${outcome.kind} would take that back, so its status stays`, {
          reason: outcome.reason,
        });
      }
      return object;
    }
    const status = nextStatus(object, outcome, this.#options.clock.now());
    if (!status) return object;
    const { client, resource, fieldManager } = this.#options;
    try {
      return await client.status.replace(resource, { ...object, status }, { fieldManager, signal });
    } catch (error) {
      if (isNotFound(error)) return "gone";
      if (isConflict(error)) return "conflict";
      throw error;
    }
  }

  async #create(child: DynamicObject, signal: AbortSignal): Promise<void> {
    const { client, fieldManager } = this.#options;
    const resource = await client.resources.of(child);
    try {
      await client.create(resource, child, { fieldManager, signal });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const existing = await client.find(resource, child.metadata, { signal });
      // It went in between; the next pass creates it.
      if (!existing) throw error;
      if (!isSameCreation(child, existing)) {
        const owner = controllerOf(existing);
        const whose = owner ? `belongs to ${owner.kind} ${owner.name} (${owner.uid})` : "belongs to nobody";
        throw new ForeignObjectError(`${describe(child)} exists already and ${whose}; delete or rename it, nothing was changed`);
      }
    }
  }

  /** Skipped while neither the manifest nor (as far as a cache knows) the live object has changed since it was last applied. */
  async #apply(parent: KubeObject, child: DynamicObject, signal: AbortSignal): Promise<void> {
    const { client, fieldManager, cached } = this.#options;
    const resource = await client.resources.of(child);
    const applied = this.#appliedBy(parent);
    const id = childID(child);
    const sha = hash("sha1", JSON.stringify(child));
    const last = applied.get(id);
    const live = cached?.(resource, child.metadata);
    if (live && last?.hash === sha && last.resourceVersion === live.metadata.resourceVersion) return;
    const { metadata } = await client.apply(resource, child, { fieldManager, signal });
    applied.set(id, { hash: sha, resourceVersion: metadata.resourceVersion });
  }

  #appliedBy({ metadata }: KubeObject): Map<string, Applied> {
    const key = keyOf(metadata);
    const known = this.#applied.get(key) ?? new Map<string, Applied>();
    this.#applied.set(key, known);
    return known;
  }

  /** Only what is applied now is remembered, so that a parent whose children come and go takes no more memory with time. */
  #remember(parent: KubeObject, children: readonly KubeObject[]): void {
    const applied = this.#appliedBy(parent);
    const present = new Set(children.map(childID));
    for (const id of applied.keys()) if (!present.has(id)) applied.delete(id);
  }

  /** The object is gone; nothing about it is remembered. */
  forget(key: string): void {
    this.#applied.delete(key);
  }

  /** Says on the object that its reconciles keep failing, beside whatever else its status says. Never throws. */
  async report(object: KubeObject, error: Error, ctx: WriteContext): Promise<void> {
    if (isTerminal(object)) return;
    const outcome = unchanged().condition(
      error instanceof TerminalError
        ? {
            type: "Stalled",
            status: "True",
            reason: "TerminalError",
            message: `the reconcile failed for good: ${error.message}`.slice(0, 1024),
          }
        : {
            type: "Reconciling",
            status: "True",
            reason: retryingReason,
            message: `the reconcile failed and is tried again: ${error.message}`.slice(0, 1024),
          },
    );
    try {
      await this.#writeStatus(object, outcome, ctx);
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

const childID = ({ kind, metadata }: KubeObject) => `${kind} ${keyOf(metadata)}`;

/** Whether anything follows the status that may fail. */
const asksForMore = ({ creates, applies, deletes, effects }: Outcome) =>
  [creates, applies, deletes, effects].some(({ length }) => length > 0);

/** Whether what exists is what we would have created: the same controller; for one without a controller, every label of ours. */
function isSameCreation(wanted: KubeObject, existing: KubeObject): boolean {
  if (controllerOf(wanted)?.uid !== controllerOf(existing)?.uid) return false;
  if (controllerOf(wanted)) return true;
  return Object.entries(wanted.metadata.labels ?? {}).every(([name, value]) => existing.metadata.labels?.[name] === value);
}
