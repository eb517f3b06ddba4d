import { isGone, isNotFound } from "./api-error.ts";
import { type Credentials, defaultCredentials, type KubeConfigLike, kubeConfigCredentials } from "./credentials.ts";
import { fieldManagerPatch } from "./field-manager.ts";
import { GuardedTransport } from "./guarded-transport.ts";
import { type Modification, modifyWith } from "./modify.ts";
import type { DynamicObject, KubeObject, NewObject, ObjectKey } from "./object.ts";
import type { Request } from "./request.ts";
import {
  type ApplyOptions,
  applyRequest,
  type CallOptions,
  createRequest,
  type DeleteOptions,
  deleteRequest,
  type ListOptions,
  listRequest,
  type ObjectList,
  type Patch,
  type PatchOptions,
  patchRequest,
  replaceRequest,
  tableRequest,
  type WatchEvent,
  type WatchOptions,
  type WriteOptions,
  watchRequest,
} from "./requests.ts";
import { pathOf, type Resource } from "./resource.ts";
import { ResourceMap } from "./resource-map.ts";
import { eventsOf, isParsed, pageOf } from "./responses.ts";
import { parseObject } from "./schema.ts";
import { Subresource } from "./subresource.ts";
import type { Table } from "./table.ts";
import { Transport, type TransportOptions } from "./transport.ts";

/**
 * The API server, in raw JSON: objects are returned as sent, unknown fields included.
 *
 * A request that the server refuses rejects with ApiError (`isNotFound`, `isConflict`, … distinguish them), one without
 * a complete response with ConnectionError. 429 is retried for every method; 5xx and lost connections for reads alone.
 *
 * @example
 * ```ts
 * import { Client, pods } from "kopf-ts";
 *
 * const client = await Client.fromEnvironment(process.env);
 * const { items } = await client.listAll(pods, { namespace: "shop", labelSelector: { app: "web" } });
 * await client.close();
 * ```
 */
export class Client {
  readonly transport: Transport;
  /** Resolves an `apiVersion` and `kind` to a resource. */
  readonly resources: ResourceMap;
  /** The same verbs on the `status` subresource. */
  readonly status: Subresource;

  constructor(options: { transport: Transport; resources?: ResourceMap } | TransportOptions) {
    this.transport = "transport" in options ? options.transport : new Transport(options);
    const known = "transport" in options ? options.resources : undefined;
    this.resources = known ?? new ResourceMap(<A>(path: string) => this.transport.json<A>({ method: "GET", path }));
    this.status = new Subresource(this.transport, "status");
  }

  /**
   * In a pod its service account; elsewhere the kubeconfig that kubectl would use. Pass `process.env`.
   *
   * @throws Error if the kubeconfig has no cluster for its context.
   */
  static async fromEnvironment(
    environment: Readonly<Record<string, string | undefined>>,
    options: Omit<TransportOptions, "credentials"> = {},
  ): Promise<Client> {
    return new Client({ ...options, credentials: await defaultCredentials(environment) });
  }

  /** From a KubeConfig of `@kubernetes/client-node`, with all its ways of authentication. */
  static fromKubeConfig(config: KubeConfigLike, options: Omit<TransportOptions, "credentials"> = {}): Client {
    return new Client({ ...options, credentials: kubeConfigCredentials(config) });
  }

  /** From credentials of your own. */
  static fromCredentials(credentials: Credentials, options: Omit<TransportOptions, "credentials"> = {}): Client {
    return new Client({ ...options, credentials });
  }

  /**
   * The same client, over the same connections, except that a write is not sent once `admit` throws: it rejects with
   * that error.
   */
  guardedBy(admit: () => void): Client {
    return new Client({ transport: new GuardedTransport(this.transport, admit), resources: this.resources });
  }

  /**
   * One object.
   *
   * @throws ApiError 404 if it does not exist: see `find`.
   * @throws InvalidObjectError if it does not match the schema of the resource.
   */
  async get<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options: CallOptions = {}): Promise<T> {
    return parseObject(resource, await this.#getRaw(resource, key, options));
  }

  #getRaw<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options: CallOptions): Promise<T> {
    return this.transport.json({ method: "GET", path: pathOf(resource, key), ...options });
  }

  /**
   * `get`, with `undefined` if it does not exist.
   *
   * @example
   * ```ts
   * import { type Client, configMaps } from "kopf-ts";
   *
   * declare const client: Client;
   * const found = await client.find(configMaps, { namespace: "shop", name: "a" });
   * console.log(found?.data ?? "not there");
   * ```
   */
  async find<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, options: CallOptions = {}): Promise<T | undefined> {
    try {
      return await this.get(resource, key, options);
    } catch (error) {
      if (isNotFound(error)) return undefined;
      throw error;
    }
  }

  /**
   * One page.
   *
   * @throws InvalidObjectError if an object does not match the schema of the resource.
   */
  async list<T extends KubeObject>(resource: Resource<T>, options: ListOptions = {}): Promise<ObjectList<T>> {
    return pageOf(resource, await this.transport.json<ObjectList<T>>(listRequest(resource, options)), options);
  }

  /** Every page, one after the other; all at once if a page token expires meanwhile, so that a slow reader comes to an end. */
  async listAll<T extends KubeObject>(resource: Resource<T>, options: Omit<ListOptions, "continue"> = {}): Promise<ObjectList<T>> {
    let page = await this.list(resource, options);
    const items = page.items;
    while (page.metadata.continue) {
      const latest = { ...options, resourceVersion: undefined };
      try {
        page = await this.list(resource, { ...latest, continue: page.metadata.continue });
      } catch (error) {
        if (isGone(error)) return await this.list(resource, { ...latest, limit: 0 });
        throw error;
      }
      for (const item of page.items) items.push(item);
    }
    return { items, metadata: page.metadata };
  }

  /** Changes after `resourceVersion`, bookmarks included, until the server closes or the signal aborts. An in-stream ERROR is thrown as ApiError. */
  async *watch<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>> {
    const parses = isParsed(resource, options);
    for await (const batch of this.watchBatches(resource, options)) {
      for (const event of batch)
        yield parses && event.type !== "BOOKMARK" ? { ...event, object: parseObject(resource, event.object) } : event;
    }
  }

  /** `watch`, with the events unparsed, in the batches in which they arrived: cheaper for busy resources. */
  async *watchBatches<T extends KubeObject>(resource: Resource<T>, options: WatchOptions): AsyncGenerator<WatchEvent<T>[]> {
    for await (const lines of this.transport.lines(watchRequest(resource, options))) {
      const { events, error } = eventsOf<T>(resource, lines, options);
      if (events.length > 0) yield events;
      if (error) throw error;
    }
  }

  /**
   * Creates an object; its name may be left to the server (`generateName`).
   *
   * @throws ApiError 409 if one of this name exists already: `isAlreadyExists`.
   */
  create<T extends KubeObject>(resource: Resource<T>, object: NewObject, options: PatchOptions = {}): Promise<T> {
    return this.transport.json(createRequest(resource, object, options));
  }

  /**
   * Writes a whole object.
   *
   * @throws ApiError 409 if its `resourceVersion` is not the newest: `isConflict`. `modify` reads and retries.
   */
  replace<T extends KubeObject>(resource: Resource<T>, object: T, options: PatchOptions = {}): Promise<T> {
    return this.transport.json(replaceRequest(resource, object, options));
  }

  /**
   * Changes some fields: an object is a JSON merge patch, a list a JSON patch.
   *
   * @throws ApiError 422 if a `test` of a JSON patch does not hold, or the server refuses the result: `isInvalid`.
   *
   * @example
   * ```ts
   * import { type Client, configMaps } from "kopf-ts";
   *
   * declare const client: Client;
   * const key = { namespace: "shop", name: "a" };
   * await client.patch(configMaps, key, { data: { size: "3", old: null } });
   * await client.patch(configMaps, key, [{ op: "replace", path: "/data/size", value: "4" }], { dryRun: true });
   * ```
   */
  patch<T extends KubeObject>(resource: Resource<T>, key: ObjectKey, patch: Patch, options: PatchOptions = {}): Promise<T> {
    return this.transport.json(patchRequest(resource, key, patch, options));
  }

  /**
   * Reads, lets `modification` change a draft, and patches the difference, if nobody wrote in between; else retries, up
   * to five times.
   *
   * @throws ApiError 409 if another client wrote first five times in a row.
   *
   * @example
   * ```ts
   * import { type Client, configMaps } from "kopf-ts";
   *
   * declare const client: Client;
   * await client.modify(configMaps, { namespace: "shop", name: "a" }, (draft) => {
   *   draft.data = { ...draft.data, size: "3" };
   * });
   * ```
   */
  modify<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    modification: Modification<T>,
    options: PatchOptions = {},
  ): Promise<T> {
    const read = () => this.#getRaw(resource, key, { signal: options.signal });
    return modifyWith(read, (patch) => this.patch(resource, key, patch, options), modification);
  }

  /**
   * Moves fields that other field managers, or updates, once wrote to the manager `to`, so that a later apply may
   * remove them. Call it once before the first apply under a new name, or when moving from updates to server-side
   * apply.
   */
  async migrateFieldManager<T extends KubeObject>(
    resource: Resource<T>,
    key: ObjectKey,
    managers: { readonly from: readonly string[]; readonly to: string },
    options: WriteOptions = {},
  ): Promise<void> {
    const patch = fieldManagerPatch(await this.#getRaw(resource, key, { signal: options.signal }), managers);
    if (patch) await this.patch(resource, key, patch, options);
  }

  /** The table that `kubectl get` shows, columns of CustomResourceDefinitions included. */
  table(resource: Resource, options: Omit<ListOptions, "metadataOnly" | "unparsed"> = {}): Promise<Table> {
    return this.transport.json(tableRequest(resource, options));
  }

  /**
   * Server-side apply: everything that `fieldManager` wants; fields that it applied before and no longer names are
   * removed.
   *
   * @throws ApiError 409 with `force: false`, if another manager owns a field that differs.
   *
   * @example
   * ```ts
   * import { type Client, configMaps } from "kopf-ts";
   *
   * declare const client: Client;
   * const manifest = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "a" }, data: { size: "3" } };
   * await client.apply(configMaps, manifest, { fieldManager: "widget-operator" });
   * ```
   */
  apply<T extends KubeObject>(resource: Resource<T>, object: DynamicObject, options: ApplyOptions): Promise<T> {
    return this.transport.json(applyRequest(resource, object, options));
  }

  /**
   * Resolves once the server has accepted the deletion, which finalizers may delay.
   *
   * @throws ApiError 404 if it does not exist, 409 if a precondition does not hold.
   */
  async delete(resource: Resource, key: ObjectKey, options: DeleteOptions = {}): Promise<void> {
    await this.transport.text(deleteRequest(resource, key, options));
  }

  /** The last lines of a container's log. */
  podLog(
    key: ObjectKey,
    options: CallOptions & { container?: string; tailLines?: number; previous?: boolean; limitBytes?: number; sinceSeconds?: number } = {},
  ): Promise<string> {
    const { signal, ...query } = options;
    const path = `/api/v1/namespaces/${key.namespace}/pods/${key.name}/log`;
    return this.transport.text({ method: "GET", path, query, accept: "*/*", signal });
  }

  /** Anything else. */
  request<T = unknown>(request: Request): Promise<T> {
    return this.transport.json(request);
  }

  /** Closes every connection. */
  close(): Promise<void> {
    return this.transport.close();
  }
}
