import type { KubeObject, NewObject, ObjectKey } from "./object.ts";
import type { Request } from "./request.ts";
import { pathOf, type Resource } from "./resource.ts";

/** `a=b,c in (d)`, or labels that must all be equal. */
export type Selector = string | Readonly<Record<string, string>>;

/** Options of every call. */
export interface CallOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Which objects a list returns, and how much of each. */
export interface ListOptions extends CallOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: Selector | undefined;
  readonly fieldSelector?: Selector | undefined;
  /** Objects a page. Default 500. */
  readonly limit?: number | undefined;
  readonly continue?: string | undefined;
  readonly resourceVersion?: string | undefined;
  /** Objects come with nothing but `metadata` (PartialObjectMetadata): cheaper where that is enough. */
  readonly metadataOnly?: boolean | undefined;
  /** Objects come as the server sent them, whatever the resource's schema says. */
  readonly unparsed?: boolean | undefined;
}

/** Which changes a watch receives, and how much of each. */
export interface WatchOptions extends CallOptions {
  readonly namespace?: string | undefined;
  readonly labelSelector?: Selector | undefined;
  readonly fieldSelector?: Selector | undefined;
  /** Changes after this version. Without one: what is there first, as ADDED. */
  readonly resourceVersion?: string | undefined;
  /** WatchList (KEP-3157): what is there first, then a bookmark for which `endsInitialEvents` holds, then changes. */
  readonly sendInitialEvents?: boolean | undefined;
  /** As in `list`. */
  readonly metadataOnly?: boolean | undefined;
  readonly unparsed?: boolean | undefined;
  /** The server ends the watch after so long. Default 290. */
  readonly timeoutSeconds?: number | undefined;
}

/** A page of a list, or all of it. */
export interface ObjectList<T> {
  readonly items: T[];
  readonly metadata: { readonly resourceVersion: string; readonly continue?: string; readonly remainingItemCount?: number };
}

/** One line of a watch. A BOOKMARK has no object but a resource version. */
export type WatchEvent<T> =
  | { readonly type: "ADDED" | "MODIFIED" | "DELETED"; readonly object: T }
  | { readonly type: "BOOKMARK"; readonly object: KubeObject };

/** The server checks everything and responds as if it had written, but stores nothing. */
export interface WriteOptions extends CallOptions {
  readonly dryRun?: boolean;
}

/** Options of a server-side apply. */
export interface ApplyOptions extends WriteOptions {
  /** The owner of the applied fields. */
  readonly fieldManager: string;
  /** Takes over fields from other managers. Default true: a controller owns what it applies. */
  readonly force?: boolean;
}

/** Options of a create, replace or patch. */
export interface PatchOptions extends WriteOptions {
  readonly fieldManager?: string;
}

/** RFC 6902. */
export interface JsonPatchOperation {
  readonly op: "add" | "remove" | "replace" | "test" | "move" | "copy";
  readonly path: string;
  readonly from?: string;
  readonly value?: unknown;
}

/** A list of operations is a JSON patch (RFC 6902), an object a JSON merge patch (RFC 7386). */
export type Patch = readonly JsonPatchOperation[] | Readonly<Record<string, unknown>>;

/** Options of a deletion. `uid` and `resourceVersion` are preconditions: another object is not deleted (409). */
export interface DeleteOptions extends WriteOptions {
  readonly uid?: string;
  readonly resourceVersion?: string;
  /** Default `Background`, also for Jobs, whose own default leaves their pods behind. */
  readonly propagationPolicy?: "Background" | "Foreground" | "Orphan";
  readonly gracePeriodSeconds?: number;
}

export function listRequest(resource: Resource, options: ListOptions): Request {
  const { namespace, signal, labelSelector, fieldSelector, metadataOnly, unparsed: _unparsed, limit = 500, ...query } = options;
  return {
    method: "GET",
    path: pathOf(resource, { namespace }),
    query: { ...query, ...selectors({ labelSelector, fieldSelector }), limit },
    ...(metadataOnly ? { accept: metadataAccept("List") } : {}),
    signal,
  };
}

export function tableRequest(resource: Resource, options: Omit<ListOptions, "metadataOnly" | "unparsed">): Request {
  return { ...listRequest(resource, options), accept: "application/json;as=Table;g=meta.k8s.io;v=v1" };
}

export function watchRequest(resource: Resource, options: WatchOptions): Request {
  const { namespace, signal, labelSelector, fieldSelector, resourceVersion, sendInitialEvents, metadataOnly } = options;
  const query = {
    watch: true,
    allowWatchBookmarks: true,
    resourceVersion,
    ...(sendInitialEvents ? { sendInitialEvents, resourceVersionMatch: "NotOlderThan" } : {}),
    timeoutSeconds: options.timeoutSeconds ?? 290,
    ...selectors({ labelSelector, fieldSelector }),
  };
  const accept = metadataOnly ? { accept: metadataAccept("") } : {};
  return { method: "GET", path: pathOf(resource, { namespace }), query, signal, ...accept };
}

export function createRequest(resource: Resource, object: NewObject, { signal, fieldManager, dryRun }: PatchOptions): Request {
  const path = pathOf(resource, { namespace: object.metadata.namespace });
  return { method: "POST", path, query: { fieldManager, ...dry(dryRun) }, body: JSON.stringify(object), signal };
}

export function replaceRequest(
  resource: Resource,
  object: KubeObject,
  { signal, fieldManager, dryRun }: PatchOptions,
  subresource?: string,
): Request {
  const { namespace, name } = object.metadata;
  return {
    method: "PUT",
    path: pathOf(resource, { namespace, name, subresource }),
    query: { fieldManager, ...dry(dryRun) },
    body: JSON.stringify(object),
    signal,
  };
}

export function patchRequest(
  resource: Resource,
  key: ObjectKey,
  patch: Patch,
  { signal, fieldManager, dryRun }: PatchOptions,
  subresource?: string,
): Request {
  return {
    method: "PATCH",
    path: pathOf(resource, { ...key, subresource }),
    query: { fieldManager, ...dry(dryRun) },
    contentType: Array.isArray(patch) ? "application/json-patch+json" : "application/merge-patch+json",
    body: JSON.stringify(patch),
    signal,
  };
}

export function applyRequest(resource: Resource, object: KubeObject, options: ApplyOptions, subresource?: string): Request {
  const { namespace, name } = object.metadata;
  return {
    method: "PATCH",
    path: pathOf(resource, { namespace, name, subresource }),
    query: { fieldManager: options.fieldManager, force: options.force ?? true, ...dry(options.dryRun) },
    contentType: "application/apply-patch+yaml",
    body: JSON.stringify(object),
    signal: options.signal,
  };
}

export function deleteRequest(resource: Resource, key: ObjectKey, options: DeleteOptions): Request {
  const { uid, resourceVersion, propagationPolicy = "Background", gracePeriodSeconds, signal, dryRun } = options;
  const preconditions = uid || resourceVersion ? { uid, resourceVersion } : undefined;
  const body = JSON.stringify({ apiVersion: "v1", kind: "DeleteOptions", propagationPolicy, gracePeriodSeconds, preconditions });
  return { method: "DELETE", path: pathOf(resource, key), query: dry(dryRun), body, signal };
}

/** The selector in the API's format. */
export function selectorText(selector: Selector | undefined): string | undefined {
  if (selector === undefined || typeof selector === "string") return selector || undefined;
  const text = Object.entries(selector)
    .map(([name, value]) => `${name}=${value}`)
    .join(",");
  return text || undefined;
}

/** Whether this bookmark marks the end of the initial events of a WatchList. */
export function endsInitialEvents(object: KubeObject): boolean {
  return object.metadata.annotations?.["k8s.io/initial-events-end"] === "true";
}

function dry(dryRun: boolean | undefined): { dryRun?: "All" } {
  return dryRun ? { dryRun: "All" } : {};
}

function selectors(options: { labelSelector?: Selector; fieldSelector?: Selector }): Record<string, string | undefined> {
  return { labelSelector: selectorText(options.labelSelector), fieldSelector: selectorText(options.fieldSelector) };
}

function metadataAccept(suffix: "List" | ""): string {
  return `application/json;as=PartialObjectMetadata${suffix};g=meta.k8s.io;v=v1,application/json`;
}
