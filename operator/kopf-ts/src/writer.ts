import { isAlreadyExists, isConflict, isInvalid, isNotFound } from "./api-error.ts";
import type { Client } from "./client.ts";
import type { Clock } from "./clock.ts";
import { finalizerPatch } from "./finalizer.ts";
import type { Logger } from "./logger.ts";
import { describe, type KubeObject } from "./object.ts";
import type { Outcome } from "./outcome.ts";
import { controllerOf } from "./owner.ts";
import { ForeignObjectError } from "./reconciler.ts";
import type { Recorder } from "./recorder.ts";
import type { Resource } from "./resource.ts";
import { contradictsEnding, nextStatus } from "./status.ts";

/** Somebody wrote before us: the next pass, soon, will decide from what is true now. */
export type Written = "done" | "conflict" | "gone";

export interface WriterOptions {
  readonly client: Client;
  readonly resource: Resource;
  readonly fieldManager: string;
  readonly clock: Clock;
}

export interface WriteContext {
  readonly logger: Logger;
  readonly recorder: Recorder;
  readonly signal: AbortSignal;
}

/** Carries an Outcome out: every write of the framework to the API is here. */
export class OutcomeWriter {
  readonly #options: WriterOptions;

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
    const current = await this.#writeStatus(withFinalizers, outcome, ctx);
    if (typeof current === "string") return current;
    for (const event of outcome.events) ctx.recorder.event(current, event);
    for (const child of outcome.creates) await this.#create(child, ctx.signal);
    for (const child of outcome.applies) await this.#apply(child, ctx.signal);
    for (const child of outcome.deletes) {
      if ((await this.#delete(child, ctx.signal)) === "conflict") return "conflict";
    }
    for (const effect of outcome.effects) {
      ctx.signal.throwIfAborted();
      await effect.run(ctx.signal);
    }
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
      // A JSON patch whose test fails is answered with 422.
      if (isConflict(error) || isInvalid(error)) return "conflict";
      throw error;
    }
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

  async #create(child: KubeObject, signal: AbortSignal): Promise<void> {
    const { client, fieldManager } = this.#options;
    const resource = await client.resources.of(child);
    try {
      await client.create(resource, child, { fieldManager, signal });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const existing = await client.find(resource, child.metadata, { signal });
      if (existing && !isSameCreation(child, existing)) {
        const owner = controllerOf(existing);
        const whose = owner ? `belongs to ${owner.kind} ${owner.name} (${owner.uid})` : "belongs to nobody";
        throw new ForeignObjectError(`${describe(child)} exists already and ${whose}; delete or rename it, nothing was changed`);
      }
    }
  }

  async #apply(child: KubeObject, signal: AbortSignal): Promise<void> {
    const { client, fieldManager } = this.#options;
    await client.apply(await client.resources.of(child), child, { fieldManager, signal });
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

/** Whether what exists is what we would have created: the same controller; for one without a controller, every label of ours. */
function isSameCreation(wanted: KubeObject, existing: KubeObject): boolean {
  if (controllerOf(wanted)?.uid !== controllerOf(existing)?.uid) return false;
  if (controllerOf(wanted)) return true;
  return Object.entries(wanted.metadata.labels ?? {}).every(([name, value]) => existing.metadata.labels?.[name] === value);
}
