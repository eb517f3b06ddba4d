import { isDeepStrictEqual } from "node:util";
import { isNotFound } from "../api/api-error.ts";
import type { Client } from "../api/client.ts";
import { mergePatch } from "../api/merge-patch.ts";
import type { DynamicObject, KubeObject } from "../api/object.ts";
import { nameOf, type Resource } from "../api/resource.ts";
import { parseObject } from "../api/schema.ts";
import type { MergePatch, SpecOf, StatusOf } from "../api/written.ts";
import { messageOf } from "../core/errors.ts";

// biome-ignore lint/suspicious/noExplicitAny: a patch names whatever fields the kind has
type Fields = Record<string, any>;

/** A JSON merge patch (RFC 7386) in the making: `null` removes a field. Parts that stay empty are not sent. Typed as the kind is. */
export interface ObjectPatch<T extends KubeObject = DynamicObject> {
  readonly metadata: { readonly labels: Record<string, string | null>; readonly annotations: Record<string, string | null> };
  readonly spec: MergePatch<SpecOf<T>>;
  readonly status: MergePatch<StatusOf<T>>;
  /** Fields beside `spec`, such as a ConfigMap's `data`. */
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly data: Record<string, any>;
}

export function emptyPatch(): ObjectPatch {
  return { metadata: { labels: {}, annotations: {} }, spec: {}, status: {}, data: {} };
}

/** A patch's parts for the object, and for its status. */
export interface Parts {
  readonly body?: Fields | undefined;
  readonly status?: Fields | undefined;
}

/** A patch that contains this already. */
export function patchFrom({ body, status }: Parts): ObjectPatch {
  const empty = emptyPatch();
  const metadata = { labels: { ...body?.metadata?.labels }, annotations: { ...body?.metadata?.annotations } };
  return { ...empty, metadata, spec: { ...body?.spec }, data: { ...body?.data }, status: { ...status } };
}

/** The non-empty parts of a patch: those of the object, and those of its status. */
function partsOf(patch: ObjectPatch): Parts {
  const metadata = filled({ labels: filled(patch.metadata.labels), annotations: filled(patch.metadata.annotations) });
  const body = filled({ metadata, spec: filled(patch.spec), data: filled(patch.data) });
  const status = filled(patch.status);
  return { ...(body ? { body } : {}), ...(status ? { status } : {}) };
}

function filled(fields: Fields): Fields | undefined {
  const there = Object.entries(fields).filter(([, value]) => value !== undefined);
  return there.length > 0 ? Object.fromEntries(there) : undefined;
}

/**
 * The parts of a patch as JSON. @throws UnrecordedError for what JSON cannot represent: a BigInt, a cycle, anything
 * that throws when it is read.
 */
export function asWritable(patch: ObjectPatch): Parts {
  try {
    return JSON.parse(JSON.stringify(partsOf(patch))) as Parts;
  } catch (thrown) {
    throw new UnrecordedError(thrown);
  }
}

/**
 * A handler's result or requested change, or the record of it, can never be written as it is: its attempt has failed.
 */
export class UnrecordedError extends Error {
  constructor(cause: unknown, what = "what the handlers asked for in their patch is refused") {
    super(`${what}: ${messageOf(cause)}`, { cause });
    this.name = "UnrecordedError";
  }
}

/** Writes merge patches to one kind; a kind without a status subresource has its status written with the rest. */
export class Patcher {
  readonly #client: Client;
  readonly #parse: Pick<Resource, "schema">;
  /** Without its schema: what the server holds is compared as it is sent. */
  readonly #resource: Resource;
  readonly #fieldManager: string;
  #hasStatusSubresource = true;

  constructor(client: Client, { schema, ...resource }: Resource, fieldManager: string) {
    this.#client = client;
    this.#parse = schema ? { schema } : {};
    this.#resource = resource;
    this.#fieldManager = fieldManager;
  }

  /**
   * The object after the writes, parsed as caches parse it, or undefined if it no longer exists. Never changes another object of the same name:
   * the UID is a precondition. An empty patch: no request.
   */
  async write<T extends KubeObject>(object: T, parts: Parts, signal?: AbortSignal): Promise<T | undefined> {
    let current: T | undefined = object;
    if (parts.status) current = await this.#writeStatus(object, parts.status, signal);
    if (current && parts.body) current = await this.#patch(object, parts.body, signal);
    return current && current !== object ? this.#parsed(current) : current;
  }

  /** As it is, if it doesn't match the schema of its kind. */
  #parsed<T extends KubeObject>(object: T): T {
    try {
      return parseObject(this.#parse, object);
    } catch {
      return object;
    }
  }

  async #writeStatus<T extends KubeObject>(object: T, status: Fields, signal: AbortSignal | undefined): Promise<T | undefined> {
    if (this.#hasStatusSubresource) {
      const written = await this.#patch(object, { status }, signal, true);
      if (written) return written;
      // Deleted, or replaced by another object of the same name: that says nothing about the kind.
      const found = await this.#client.find(this.#resource, object.metadata, { signal });
      if (!found || (object.metadata.uid && found.metadata.uid !== object.metadata.uid)) return undefined;
      return await this.#writeStatusWithRest(object, status, found, signal);
    }
    return await this.#patch(object, { status }, signal);
  }

  /**
   * `…/status` doesn't exist, though the object does. Whether the kind is without a status subresource shows when its
   * status is written with the rest: a server that knows one leaves the status as it was. While a definition is new,
   * a server may know its subresource by discovery alone (kubernetes/kubernetes#115241): then this throws, and the next
   * write tries again.
   */
  async #writeStatusWithRest<T extends KubeObject>(
    object: T,
    status: Fields,
    found: KubeObject,
    signal: AbortSignal | undefined,
  ): Promise<T | undefined> {
    const written = await this.#patch(object, { status }, signal);
    if (!written) return undefined;
    if (!isDeepStrictEqual(written.status, found.status)) this.#hasStatusSubresource = false;
    else if (!isDeepStrictEqual(mergePatch(found.status, status), found.status) && (await this.#client.resources.hasStatus(this.#resource)))
      throw new Error(`the server doesn't serve the status of ${nameOf(this.#resource)} yet`);
    return written;
  }

  async #patch<T extends KubeObject>(object: T, fields: Fields, signal?: AbortSignal, toStatus = false): Promise<T | undefined> {
    const { uid } = object.metadata;
    const patch = { ...fields, metadata: { ...(fields.metadata as Fields | undefined), ...(uid ? { uid } : {}) } };
    const options = { fieldManager: this.#fieldManager, signal };
    try {
      const target = toStatus ? this.#client.status : this.#client;
      return await target.patch(this.#resource as Resource<T>, object.metadata, patch, options);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }
}
