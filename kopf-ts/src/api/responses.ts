import { ApiError } from "./api-error.ts";
import type { KubeObject } from "./object.ts";
import type { ListOptions, ObjectList, WatchEvent, WatchOptions } from "./requests.ts";
import { apiVersionOf, type Resource } from "./resource.ts";
import { parseObject } from "./schema.ts";

/** Whether objects are parsed by the schema of their resource. */
export function isParsed(resource: Resource, { metadataOnly, unparsed }: Pick<ListOptions, "metadataOnly" | "unparsed">): boolean {
  return resource.schema !== undefined && !unparsed && !metadataOnly;
}

/**
 * A page of a list, of objects that name their kind.
 *
 * @throws InvalidObjectError if an object does not match the schema of the resource.
 */
export function pageOf<T extends KubeObject>(resource: Resource<T>, list: ObjectList<T>, options: ListOptions): ObjectList<T> {
  const items = typed(resource, list.items ?? [], options.metadataOnly);
  return { ...list, items: isParsed(resource, options) ? items.map((item) => parseObject(resource, item)) : items };
}

/** The events in these lines of a watch, and the ERROR that ended it, if one did. */
export function eventsOf<T extends KubeObject>(
  resource: Resource<T>,
  lines: readonly string[],
  { metadataOnly }: Pick<WatchOptions, "metadataOnly">,
): { readonly events: WatchEvent<T>[]; readonly error?: ApiError } {
  const events: WatchEvent<T>[] = [];
  for (const line of lines) {
    const event = JSON.parse(line) as WatchEvent<T> | { type: "ERROR"; object: StatusObject };
    if (event.type === "ERROR") return { events, error: streamError(resource, event.object) };
    if (metadataOnly && event.type !== "BOOKMARK") nameKind(resource, event.object);
    events.push(event);
  }
  return { events };
}

/** Items of built-in lists have no `apiVersion` and `kind`, partial ones have others. */
function typed<T extends KubeObject>(resource: Resource<T>, items: T[], metadataOnly = false): T[] {
  if (metadataOnly) for (const item of items) nameKind(resource, item);
  const apiVersion = apiVersionOf(resource);
  return items.map((item) => (item.kind ? item : { ...item, apiVersion, kind: resource.kind }));
}

/** Partial metadata has the kind PartialObjectMetadata; owners and events need the object's own kind. */
function nameKind(resource: Resource, object: KubeObject): void {
  object.apiVersion = apiVersionOf(resource);
  object.kind = resource.kind;
}

interface StatusObject {
  code?: number;
  reason?: string;
  message?: string;
  details?: ApiError["details"];
}

function streamError(resource: Resource, status: StatusObject): ApiError {
  return new ApiError({
    status: status.code ?? 500,
    message: `watch of ${resource.plural}: ${status.message ?? "the server ended it without saying why"}`,
    ...(status.reason ? { reason: status.reason } : {}),
    ...(status.details ? { details: status.details } : {}),
  });
}
