import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { ApiError } from "../api/api-error.ts";
import { type KubeObject, keyOf } from "../api/object.ts";
import { timestamp } from "../outcome/conditions.ts";

/** One change, as watches receive it. */
export interface Recorded {
  readonly revision: number;
  readonly table: string;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: KubeObject;
  readonly old?: KubeObject;
}

/** The part of an object that a write changes. */
export type Part = "all but status" | "status" | "everything";

/** The objects behind a FakeApiServer: revisions, UIDs, generations, finalizers, garbage collection. */
export class Storage {
  readonly #tables = new Map<string, Map<string, KubeObject>>();
  readonly #log: Recorded[] = [];
  readonly #listeners = new Set<(recorded: Recorded) => void>();
  #revision = 100;
  #oldest = 0;

  get revision(): number {
    return this.#revision;
  }

  /** The oldest revision that a watch can start from. */
  get oldest(): number {
    return this.#oldest;
  }

  listen(listener: (recorded: Recorded) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  since(revision: number): readonly Recorded[] {
    return this.#log.filter((recorded) => recorded.revision > revision);
  }

  /** Forgets history: watches from before now get 410. */
  compact(): void {
    this.#revision += 1;
    this.#oldest = this.#revision;
    this.#log.length = 0;
  }

  /** The result of `run`; nothing of it is kept, and watches don't receive it. */
  dryRun<T>(run: () => T): T {
    const [revision, logged, listeners] = [this.#revision, this.#log.length, [...this.#listeners]];
    const tables = [...this.#tables].map(([name, objects]) => [name, new Map(objects)] as const);
    this.#listeners.clear();
    try {
      return run();
    } finally {
      this.#revision = revision;
      this.#log.length = logged;
      this.#tables.clear();
      for (const [name, objects] of tables) this.#tables.set(name, objects);
      for (const listener of listeners) this.#listeners.add(listener);
    }
  }

  all(table: string): KubeObject[] {
    const objects = [...(this.#tables.get(table)?.entries() ?? [])];
    return objects.sort(([a], [b]) => (a < b ? -1 : 1)).map(([, object]) => object);
  }

  find(table: string, key: string): KubeObject | undefined {
    return this.#tables.get(table)?.get(key);
  }

  get(table: string, key: string): KubeObject {
    const object = this.find(table, key);
    if (!object) throw new ApiError({ status: 404, reason: "NotFound", message: `${table} "${key}" not found` });
    return object;
  }

  create(table: string, input: KubeObject, part: Part = "all but status"): KubeObject {
    const name = input.metadata.name ?? `${input.metadata.generateName}${randomUUID().slice(0, 5)}`;
    const metadata = { ...input.metadata, name, uid: randomUUID(), generation: 1, creationTimestamp: timestamp(new Date()) };
    const object = structuredClone({ ...input, metadata });
    if (part !== "everything") delete object.status;
    if (this.find(table, keyOf(metadata))) {
      throw new ApiError({ status: 409, reason: "AlreadyExists", message: `${table} "${name}" already exists` });
    }
    return this.#write("ADDED", table, object);
  }

  /** Replaces an object, if its resource version (where given) is the newest. */
  update(table: string, input: KubeObject, part: Part): KubeObject {
    const old = this.get(table, keyOf(input.metadata));
    const { resourceVersion, uid } = input.metadata;
    const stale = resourceVersion !== undefined && resourceVersion !== old.metadata.resourceVersion;
    if (stale || (uid !== undefined && uid !== old.metadata.uid)) {
      const message = `Operation cannot be fulfilled on ${table} "${input.metadata.name}": the object has been modified`;
      throw new ApiError({ status: 409, reason: "Conflict", message });
    }
    const added = (input.metadata.finalizers ?? []).filter((finalizer) => !old.metadata.finalizers?.includes(finalizer));
    if (old.metadata.deletionTimestamp && part === "all but status" && added.length > 0) {
      const message = `${table} "${input.metadata.name}" is invalid: metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}`;
      throw new ApiError({ status: 422, reason: "Invalid", message });
    }
    const next = structuredClone(part === "status" ? { ...old, status: input.status } : { ...input });
    if (part === "all but status") next.status = structuredClone(old.status);
    if (next.status === undefined) delete next.status;
    const { generation = 1, creationTimestamp, deletionTimestamp } = old.metadata;
    Object.assign(next.metadata, { uid: old.metadata.uid, resourceVersion: old.metadata.resourceVersion, creationTimestamp });
    next.metadata.generation = isDeepStrictEqual(substance(next), substance(old)) ? generation : generation + 1;
    if (deletionTimestamp) next.metadata.deletionTimestamp = deletionTimestamp;
    else delete next.metadata.deletionTimestamp;
    const plain = JSON.parse(JSON.stringify(next)) as KubeObject;
    if (isDeepStrictEqual(plain, old)) return old;
    if (deletionTimestamp && !plain.metadata.finalizers?.length) return this.#erase(table, plain, old);
    return this.#write("MODIFIED", table, plain, old);
  }

  delete(table: string, key: string, preconditions: { uid?: string; resourceVersion?: string } = {}): KubeObject {
    const old = this.get(table, key);
    const { uid = old.metadata.uid, resourceVersion = old.metadata.resourceVersion } = preconditions;
    if (uid !== old.metadata.uid || resourceVersion !== old.metadata.resourceVersion) {
      throw new ApiError({ status: 409, reason: "Conflict", message: `${table} "${key}": the precondition does not hold` });
    }
    if (!old.metadata.finalizers?.length) return this.#erase(table, old, old);
    if (old.metadata.deletionTimestamp) return old;
    const generation = (old.metadata.generation ?? 1) + 1;
    return this.#write(
      "MODIFIED",
      table,
      { ...old, metadata: { ...old.metadata, generation, deletionTimestamp: timestamp(new Date()) } },
      old,
    );
  }

  #erase(table: string, object: KubeObject, old: KubeObject): KubeObject {
    const erased = this.#write("DELETED", table, object, old);
    for (const [name, objects] of this.#tables) {
      for (const [key, dependent] of objects) {
        if (dependent.metadata.ownerReferences?.some(({ uid }) => uid === object.metadata.uid)) this.delete(name, key);
      }
    }
    return erased;
  }

  #write(type: Recorded["type"], table: string, object: KubeObject, old?: KubeObject): KubeObject {
    this.#revision += 1;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(this.#revision) } };
    const objects = this.#tables.get(table) ?? new Map<string, KubeObject>();
    this.#tables.set(table, objects);
    if (type === "DELETED") objects.delete(keyOf(stored.metadata));
    else objects.set(keyOf(stored.metadata), stored);
    const recorded: Recorded = { revision: this.#revision, table, type, object: stored, ...(old ? { old } : {}) };
    this.#log.push(recorded);
    for (const listener of this.#listeners) listener(recorded);
    return stored;
  }
}

/** What the generation counts changes of. */
function substance({ metadata: _metadata, status: _status, ...rest }: KubeObject): object {
  return JSON.parse(JSON.stringify(rest)) as object;
}
