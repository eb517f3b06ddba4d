import { ApiError } from "../api/api-error.ts";
import { mergePatch } from "../api/merge-patch.ts";
import { type DynamicObject, type KubeObject, keyOf } from "../api/object.ts";
import { builtins, nameOf } from "../api/resource.ts";
import type { Table } from "../api/table.ts";
import type { SeenRequest } from "./faults.ts";
import { jsonPatch } from "./json-patch.ts";
import { isPartial, partial } from "./partial-metadata.ts";
import { selectorOf, type Target } from "./request-url.ts";
import { serverSideApply } from "./server-side-apply.ts";
import type { Part, Storage } from "./storage.ts";

/** The verbs of the API on the objects of a storage, watches aside. */
export class RestHandler {
  readonly #storage: Storage;
  readonly #reviews = new Map<string, (object: DynamicObject) => DynamicObject>();
  readonly #pages = new Map<string, { objects: KubeObject[]; revision: number }>();
  #tokens = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
  }

  /** The response to a request about this target. */
  handle(target: Target, request: SeenRequest): { status: number; body: unknown } {
    switch (request.method) {
      case "GET":
        return { status: 200, body: target.name ? this.#storage.get(target.table, keyOf(target)) : this.#list(target, request) };
      case "POST":
        return { status: 201, body: this.#create(target, JSON.parse(request.body) as KubeObject) };
      case "PUT":
        return { status: 200, body: this.#replace(target, JSON.parse(request.body) as KubeObject) };
      case "PATCH":
        return { status: 200, body: this.#patch(target, request) };
      default: {
        const { preconditions } = (request.body ? JSON.parse(request.body) : {}) as { preconditions?: { uid?: string } };
        return { status: 200, body: this.#storage.delete(target.table, keyOf(target), preconditions) };
      }
    }
  }

  /** Creating in this table returns what `review` makes of the object, and stores nothing. */
  review(table: string, review: (object: DynamicObject) => DynamicObject): void {
    this.#reviews.set(table, review);
  }

  /** From now on, page tokens are too old. */
  expirePages(): void {
    this.#pages.clear();
  }

  #list(target: Target, request: SeenRequest): unknown {
    const { query } = request;
    const token = query.get("continue");
    const limit = Number(query.get("limit") ?? 0) || Number.POSITIVE_INFINITY;
    const page = token ? this.#pages.get(token) : this.#snapshot(target, selectorOf(query));
    if (!page) throw new ApiError({ status: 410, reason: "Expired", message: "The provided continue parameter is too old" });
    const items = page.objects.slice(0, limit);
    const rest = page.objects.slice(limit);
    const metadata: Record<string, unknown> = { resourceVersion: String(page.revision) };
    if (rest.length > 0) {
      this.#tokens += 1;
      metadata.continue = `${page.revision}-${this.#tokens}`;
      this.#pages.set(metadata.continue as string, { objects: rest, revision: page.revision });
    }
    if (request.accept.includes("as=Table")) return tableOf(items);
    if (isPartial(request)) return { kind: "PartialObjectMetadataList", metadata, items: items.map(partial) };
    // As the real server does for built-in kinds.
    return { kind: "List", metadata, items: items.map(({ apiVersion: _apiVersion, kind: _kind, ...item }) => item) };
  }

  #snapshot(target: Target, matches: (object: KubeObject) => boolean) {
    const objects = this.#storage.all(target.table).filter((object) => !target.namespace || object.metadata.namespace === target.namespace);
    return { objects: objects.filter(matches), revision: this.#storage.revision };
  }

  #create(target: Target, object: KubeObject): KubeObject {
    const review = this.#reviews.get(target.table);
    if (review) return review(object);
    const namespace = target.namespace || undefined;
    return this.#storage.create(target.table, { ...object, metadata: { ...object.metadata, namespace } });
  }

  #replace(target: Target, object: KubeObject): KubeObject {
    const { name = target.name, namespace = target.namespace || undefined, resourceVersion } = object.metadata;
    if (keyOf({ name, namespace }) !== keyOf(target)) {
      const message = `the name of the object (${keyOf({ name, namespace })}) does not match the name on the URL (${keyOf(target)})`;
      throw new ApiError({ status: 400, reason: "BadRequest", message });
    }
    if (!resourceVersion && this.#isCustom(target)) {
      const message = `${target.table} "${name}" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update`;
      throw new ApiError({ status: 422, reason: "Invalid", message });
    }
    return this.#storage.update(target.table, { ...object, metadata: { ...object.metadata, name, namespace } }, partOf(target));
  }

  /** Built-in kinds allow updates without a version; those of CustomResourceDefinitions do not. */
  #isCustom({ table }: Target): boolean {
    return !builtins.some((resource) => nameOf(resource) === table);
  }

  #patch(target: Target, request: SeenRequest): KubeObject {
    const body = JSON.parse(request.body) as unknown;
    if (request.contentType.startsWith("application/apply-patch")) return this.#apply(target, body as KubeObject, request.query);
    const old = this.#storage.get(target.table, keyOf(target));
    const patched = Array.isArray(body) ? jsonPatch(old, body) : mergePatch(old, body);
    return this.#storage.update(target.table, patched as KubeObject, partOf(target));
  }

  #apply(target: Target, object: KubeObject, query: URLSearchParams): KubeObject {
    const manager = query.get("fieldManager");
    if (!manager) throw new ApiError({ status: 400, reason: "BadRequest", message: "fieldManager is required for apply patch" });
    const old = this.#storage.find(target.table, keyOf(target));
    const by = { manager, subresource: target.subresource, force: query.get("force") === "true" };
    const applied = serverSideApply(old, object, by);
    const namespace = target.namespace || undefined;
    const next = { ...applied, metadata: { ...applied.metadata, name: target.name, namespace } };
    if (!old) return this.#storage.create(target.table, next);
    const { resourceVersion = old.metadata.resourceVersion, uid = old.metadata.uid } = object.metadata;
    return this.#storage.update(target.table, { ...next, metadata: { ...next.metadata, resourceVersion, uid } }, partOf(target));
  }
}

/** The columns of a kind that names none. */
function tableOf(items: readonly KubeObject[]): Table {
  const columnDefinitions = [
    { name: "Name", type: "string", priority: 0 },
    { name: "Created At", type: "date", priority: 1 },
  ];
  const rows = items.map((object) => ({ cells: [object.metadata.name, object.metadata.creationTimestamp], object: partial(object) }));
  return { columnDefinitions, rows };
}

function partOf(target: Target): Part {
  return target.subresource === "status" ? "status" : "all but status";
}
