import { hash } from "node:crypto";
import { ApiError, isAlreadyExists, isConflict, isForbidden, isNotFound } from "../api/api-error.ts";
import type { Client } from "../api/client.ts";
import { type DynamicObject, describe, type KubeObject, keyOf, type NewObject, type ObjectKey } from "../api/object.ts";
import type { Resource } from "../api/resource.ts";
import type { Clock } from "../core/clock.ts";
import type { Outcome } from "./outcome.ts";
import { controllerOf } from "./owner.ts";
import { ForeignObjectError } from "./reconciler.ts";
import { Unseen } from "./unseen.ts";

export interface ChildWriterOptions {
  readonly client: Client;
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

/** What was applied for one parent, by the child's group, kind and key. A namesake of the parent has another UID: its children are not known yet. */
interface AppliedChildren {
  readonly uid: string | undefined;
  readonly byID: Map<string, Applied>;
}

/** Creates, applies and deletes the children that an Outcome names. An object of somebody else is refused with ForeignObjectError and not changed. */
export class ChildWriter {
  readonly #options: ChildWriterOptions;
  readonly #unseen: Unseen;
  /** By the key of the parent. */
  readonly #applied = new Map<string, AppliedChildren>();

  constructor(options: ChildWriterOptions) {
    this.#options = options;
    this.#unseen = new Unseen(options.clock, (resource, key) => options.cached?.(resource, key));
  }

  /** Milliseconds that the next pass over this parent has to wait until it can see what the last one created. */
  pause(parent: KubeObject): number {
    return this.#unseen.pause(parent);
  }

  /** Whether anything is left to be written: what is applied and stands as it should is not. */
  async hasWork(parent: KubeObject, { creates, applies, deletes }: Outcome): Promise<boolean> {
    if (creates.length > 0 || deletes.some(({ metadata }) => !metadata.deletionTimestamp)) return true;
    for (const child of applies) if (!this.#stands(parent, await this.#options.client.resources.of(child), child)) return true;
    return false;
  }

  /** In order: creates → applies → deletes, each only if the one before succeeded. */
  async write(parent: KubeObject, outcome: Outcome, signal: AbortSignal): Promise<"done" | "conflict"> {
    for (const child of outcome.creates) await this.#create(parent, child, signal);
    for (const child of outcome.applies) await this.#apply(parent, child, outcome, signal);
    if (outcome.applies.length > 0) this.#remember(parent, outcome.applies);
    for (const child of outcome.deletes) {
      if ((await this.#delete(child, signal)) === "conflict") return "conflict";
    }
    return "done";
  }

  /** The parent was deleted; its records are removed. */
  forget(key: string): void {
    this.#applied.delete(key);
    this.#unseen.forget(key);
  }

  async #create(parent: KubeObject, child: NewObject, signal: AbortSignal): Promise<void> {
    const { client, fieldManager, willShow } = this.#options;
    const resource = await client.resources.of(child);
    try {
      const created = await client.create(resource, child, { fieldManager, signal });
      if (!child.metadata.name && willShow?.(resource, created)) this.#unseen.created(parent, resource, created);
    } catch (error) {
      const { namespace, name } = child.metadata;
      if (!name && mayHaveBeenMade(error) && willShow?.(resource, child as KubeObject)) this.#unseen.lost(parent);
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
    const known = this.#applied.get(key);
    if (known && known.uid === metadata.uid) return known.byID;
    const byID = new Map<string, Applied>();
    this.#applied.set(key, { uid: metadata.uid, byID });
    return byID;
  }

  /** Only what is applied now is recorded, so that memory does not grow for a parent whose children change. */
  #remember(parent: KubeObject, children: readonly KubeObject[]): void {
    const applied = this.#appliedBy(parent);
    const present = new Set(children.map(childID));
    for (const id of applied.keys()) if (!present.has(id)) applied.delete(id);
  }

  async #delete(child: KubeObject, signal: AbortSignal): Promise<"done" | "conflict"> {
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

/** Whether a request that failed may have been carried out: its response was lost, was not awaited, or blames the server. */
const mayHaveBeenMade = (error: unknown) => !(error instanceof ApiError && error.status < 500);

const hashOf = (child: KubeObject) => hash("sha1", JSON.stringify(child));

const childID = ({ apiVersion = "", kind, metadata }: KubeObject) => `${apiVersion.split("/").at(-2) ?? ""} ${kind} ${keyOf(metadata)}`;

function ownerInWords(object: KubeObject): string {
  const owner = controllerOf(object);
  return owner ? `belongs to ${owner.kind} ${owner.name} (${owner.uid})` : "belongs to nobody";
}

/** Whether what exists is what we would have created: the same controller; for one without a controller, every label of ours. */
function isSameCreation(wanted: NewObject, existing: KubeObject): boolean {
  if (controllerOf(wanted)?.uid !== controllerOf(existing)?.uid) return false;
  if (controllerOf(wanted)) return true;
  return Object.entries(wanted.metadata.labels ?? {}).every(([name, value]) => existing.metadata.labels?.[name] === value);
}
