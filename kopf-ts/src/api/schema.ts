import { isDeepStrictEqual } from "node:util";
import { messageOf } from "../core/errors.ts";
import { isJsonObject } from "../core/json-object.ts";
import { describe, type KubeObject } from "./object.ts";

/** Anything that parses as zod does: `z.object({ spec: z.object({ size: z.number() }) })`. */
export interface ObjectSchema<T extends object = object> {
  /** Returns the parsed value; throws if it does not match. */
  parse(value: unknown): T;
}

/** What a schema takes in, where it says so as Standard Schema does (zod: `z.input`); else what it returns. */
export type WrittenShape<S extends ObjectSchema> = S extends {
  readonly "~standard": { readonly types?: { readonly input: infer Input } | undefined };
}
  ? Input
  : ReturnType<S["parse"]>;

/** The server holds an object that is not what the resource's schema says. */
export class InvalidObjectError extends Error {
  constructor(object: KubeObject, cause: unknown) {
    const why = messageOf(cause);
    super(`${describe(object)} is not what its schema says; correct the object or the schema: ${why}`, { cause });
    this.name = "InvalidObjectError";
  }
}

/**
 * The object as parsed by the resource's schema; the object itself if there is no schema. `metadata` stays as the
 * server sent it, and so do fields that are not in the schema; in status at any depth, because status is written back
 * whole.
 */
export function parseObject<T extends KubeObject>({ schema }: { readonly schema?: ObjectSchema }, object: T): T {
  if (!schema) return object;
  try {
    const parsed = schema.parse(object);
    const status = "status" in parsed ? { status: remembering(object.status, overlaid(object.status, parsed.status)) } : {};
    return { ...object, ...parsed, ...status, apiVersion: object.apiVersion, kind: object.kind, metadata: object.metadata };
  } catch (error) {
    throw new InvalidObjectError(object, error);
  }
}

/** By statuses that a schema has changed: as the server sent them. */
const sentStatuses = new WeakMap<object, unknown>();

/** The status as the server sent it, before a schema filled in defaults or transformed values: a status is written in that shape. */
export function sentStatus({ status }: KubeObject): unknown {
  return isJsonObject(status) && sentStatuses.has(status) ? sentStatuses.get(status) : status;
}

/** The sent status itself, where parsing changes nothing. */
function remembering(sent: unknown, parsed: unknown): unknown {
  if (isDeepStrictEqual(sent, parsed)) return sent;
  if (isJsonObject(parsed)) sentStatuses.set(parsed, sent);
  return parsed;
}

/** The parsed value, plus all that the schema leaves out. */
function overlaid(sent: unknown, parsed: unknown): unknown {
  if (Array.isArray(sent) && Array.isArray(parsed)) {
    return sent.length === parsed.length ? parsed.map((item, i) => overlaid(sent[i], item)) : parsed;
  }
  if (!isJsonObject(sent) || !isJsonObject(parsed)) return parsed;
  return { ...sent, ...Object.fromEntries(Object.entries(parsed).map(([name, value]) => [name, overlaid(sent[name], value)])) };
}
