import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { ApiError } from "../api/api-error.ts";
import { Client } from "../api/client.ts";
import { staticCredentials } from "../api/credentials.ts";
import { type DynamicObject, type KubeObject, keyOf } from "../api/object.ts";
import { builtins, nameOf, type Resource } from "../api/resource.ts";
import type { Table } from "../api/table.ts";
import type { TransportOptions } from "../api/transport.ts";
import type { Clock } from "../core/clock.ts";
import { type Fault, Faults, type SeenRequest } from "./faults.ts";
import { applyMerge, disagreements, jsonPatch, mergePatch, PatchRefused } from "./patch.ts";
import { selectorOf, type Target, targetOf } from "./request-url.ts";
import { type Part, Storage } from "./storage.ts";
import { partial, Watches } from "./watches.ts";

interface AppliedFields {
  readonly manager: string;
  readonly operation: "Apply";
  readonly subresource: string;
  readonly applied: unknown;
}

/**
 * An API server in memory, over real HTTP. A fake, for unit tests and fault injection alone: it has no schemas,
 * no admission and no defaults, and its server-side apply is only good enough to test clients of it.
 *
 * @example
 * ```ts
 * import { configMaps } from "kopf-ts";
 * import { FakeApiServer } from "kopf-ts/testing";
 *
 * const server = await FakeApiServer.start();
 * const client = server.client();
 * server.inject({ match: ({ method }) => method === "POST", action: { do: "refuse", status: 503 } });
 * server.put(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace: "shop", name: "a" } });
 * const { items } = await client.list(configMaps, { namespace: "shop" });
 * await client.close();
 * await server.stop();
 * ```
 */
export class FakeApiServer {
  /** Every request, in the order of arrival. */
  readonly requests: SeenRequest[] = [];
  /**
   * How this server handles WatchList: as new servers do; refused, as with the feature off; ignored, as old ones do; or
   * without ever sending the end mark.
   */
  watchList: "served" | "refused" | "ignored" | "endless" = "served";
  readonly #resources: readonly Resource[];
  readonly #storage = new Storage();
  readonly #faults = new Faults();
  readonly #watches = new Watches(this.#storage);
  readonly #sockets = new Set<Socket>();
  readonly #reviews = new Map<string, (object: DynamicObject) => DynamicObject>();
  readonly #pages = new Map<string, { objects: KubeObject[]; revision: number }>();
  #tokens = 0;
  readonly #server = createServer((request, response) => void this.#serve(request, response));
  #url = "";

  /** `resources`: what discovery returns, besides the built-in ones. Other paths are served as well. */
  constructor(options: { resources?: readonly Resource[] } = {}) {
    this.#resources = [...builtins, ...(options.resources ?? [])];
    this.#server.keepAliveTimeout = 0;
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.on("close", () => this.#sockets.delete(socket));
    });
  }

  /** Starts one on a free port of this machine. */
  static async start(options: { resources?: readonly Resource[] } = {}): Promise<FakeApiServer> {
    const server = new FakeApiServer(options);
    await new Promise<void>((resolve) => server.#server.listen(0, "127.0.0.1", resolve));
    server.#url = `http://127.0.0.1:${(server.#server.address() as AddressInfo).port}`;
    return server;
  }

  /** Closes every connection. */
  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }

  get url(): string {
    return this.#url;
  }

  /** Connections that are open now. */
  get connections(): number {
    return this.#sockets.size;
  }

  /** Watches that are open now. */
  get watches(): number {
    return this.#watches.size;
  }

  /** A client of this server. The caller closes it. */
  client(options: Omit<TransportOptions, "credentials"> & { clock?: Clock } = {}): Client {
    return new Client({ ...options, credentials: staticCredentials(this.#url) });
  }

  /** Creates an object or replaces all of it, status included, as another client would. */
  put<T extends KubeObject>(resource: Resource<T>, object: DynamicObject): T {
    const table = nameOf(resource);
    const { resourceVersion: _ignored, ...metadata } = object.metadata;
    const there = this.#storage.find(table, keyOf(metadata));
    const input = { ...object, metadata };
    return (there ? this.#storage.update(table, input, "everything") : this.#storage.create(table, input, "everything")) as T;
  }

  /** The object as it is stored, without a request. */
  find<T extends KubeObject>(resource: Resource<T>, key: { namespace?: string; name: string }): T | undefined {
    return this.#storage.find(nameOf(resource), keyOf(key)) as T | undefined;
  }

  /** All objects of the resource, without requests. */
  all<T extends KubeObject>(resource: Resource<T>): T[] {
    return this.#storage.all(nameOf(resource)) as T[];
  }

  /** Deletes an object as another client would: one with finalizers stays until they are removed. */
  delete(resource: Resource, key: { namespace?: string; name: string }): void {
    this.#storage.delete(nameOf(resource), keyOf(key));
  }

  /** Answers what is created of this kind with what `review` makes of it, and stores nothing: as of TokenReviews and their like. */
  review(resource: Resource, review: (object: DynamicObject) => DynamicObject): void {
    this.#reviews.set(nameOf(resource), review);
  }

  /** Strikes the next requests that match. */
  inject(fault: Fault): void {
    this.#faults.add(fault);
  }

  /** The number of pending faults. */
  get faultsLeft(): number {
    return this.#faults.left;
  }

  /** Removes pending faults. */
  clearFaults(): void {
    this.#faults.clear();
  }

  /** Forgets history: watches from before now, and page tokens, get 410. */
  compact(): void {
    this.#storage.compact();
    this.#pages.clear();
  }

  /** From now on, page tokens are too old, though history is not. */
  expirePages(): void {
    this.#pages.clear();
  }

  /** Writes every event of every watch in pieces of this size, wherever that cuts. 0: whole again. */
  splitEvents(bytes: number): void {
    this.#watches.pieceBytes = bytes;
  }

  /** Sends a bookmark on every open watch. */
  bookmark(): void {
    this.#watches.bookmark();
  }

  /** Closes every open watch cleanly. */
  closeWatches(): void {
    this.#watches.close();
  }

  /** Cuts the connection of every open watch. */
  resetWatches(): void {
    this.#watches.reset();
  }

  /** Sends an in-stream ERROR on every open watch, then ends it. */
  failWatches(status: number, reason = ""): void {
    this.#watches.fail({ kind: "Status", code: status, reason, message: `injected ${status}` });
  }

  /** Open watches receive nothing more, though their connections stay: half-open. */
  muteWatches(): void {
    this.#watches.mute();
  }

  /** Writes raw bytes on every open watch. */
  writeToWatches(bytes: Uint8Array): void {
    this.#watches.write(bytes);
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const seen = await this.#see(request);
    this.requests.push(seen);
    const fault = this.#faults.strike(seen);
    if (fault?.do === "hang") return;
    if (fault?.do === "reset") {
      request.socket.destroy();
      return;
    }
    if (fault?.do === "hold") await fault.until.catch(() => {});
    try {
      if (fault?.do === "refuse")
        throw new ApiError({ message: `injected ${fault.status}`, ...fault, retryAfter: fault.retryAfterSeconds });
      const isDry = seen.query.get("dryRun") === "All";
      const answer = isDry ? this.#storage.dryRun(() => this.#answer(seen, response)) : this.#answer(seen, response);
      if (fault?.do === "reset after") request.socket.destroy();
      else if (fault?.do === "cut" && answer) cut(response, answer);
      else if (answer !== undefined) send(response, answer.status, answer.body);
    } catch (error) {
      refuse(response, error);
    }
  }

  async #see(request: IncomingMessage): Promise<SeenRequest> {
    const url = new URL(request.url ?? "/", "http://fake");
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    return {
      method: request.method ?? "GET",
      path: url.pathname,
      query: url.searchParams,
      contentType: request.headers["content-type"] ?? "",
      accept: request.headers.accept ?? "",
      body: Buffer.concat(chunks).toString("utf8"),
      watch: url.searchParams.get("watch") === "true",
    };
  }

  #answer(request: SeenRequest, response: ServerResponse): { status: number; body: unknown } | undefined {
    const target = targetOf(request.path);
    if (request.path === "/apis") return { status: 200, body: this.#groups() };
    if (!target.table) return { status: 200, body: this.#discovery(target) };
    if (request.watch) {
      this.#watch(target, request, response);
      return undefined;
    }
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

  #groups(): unknown {
    const preferred = new Map(this.#resources.filter(({ group }) => group !== "").map((resource) => [resource.group, resource]));
    const groups = [...preferred.values()].map(({ group, version }) => {
      return { name: group, preferredVersion: { groupVersion: `${group}/${version}`, version } };
    });
    return { kind: "APIGroupList", groups };
  }

  #discovery({ group, version }: Target): unknown {
    const served = this.#resources.filter((resource) => resource.group === group && resource.version === version);
    if (served.length === 0)
      throw new ApiError({ status: 404, reason: "NotFound", message: "the server could not find the requested resource" });
    const resources = served.flatMap(({ plural, kind, namespaced }) =>
      [plural, `${plural}/status`].map((name) => ({ name, kind, namespaced })),
    );
    return { kind: "APIResourceList", resources };
  }

  #watch(target: Target, request: SeenRequest, response: ServerResponse): void {
    const { query } = request;
    const asked = query.get("sendInitialEvents") === "true";
    if (asked && this.watchList === "refused") {
      const message = "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled";
      throw new ApiError({ status: 422, reason: "Invalid", message });
    }
    const version = query.get("resourceVersion");
    this.#watches.open(response, {
      ...target,
      initial: !version,
      endMark: asked && this.watchList === "served",
      resourceVersion: version ? Number(version) : this.#storage.revision,
      metadataOnly: isPartial(request),
      matches: selectorOf(query),
    });
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
    const { metadata, ...rest } = object;
    const { resourceVersion, uid, ...ownMetadata } = metadata;
    const applied = { ...rest, metadata: ownMetadata };
    const fields = (old?.metadata.managedFields ?? []) as AppliedFields[];
    const isMine = (entry: AppliedFields) => entry.manager === manager && entry.subresource === target.subresource;
    if (query.get("force") !== "true")
      refuseConflicts(
        applied,
        fields.filter((entry) => !isMine(entry)),
      );
    const merged = applyMerge(old ?? {}, fields.find(isMine)?.applied, applied) as KubeObject;
    const mine: AppliedFields = { manager, operation: "Apply", subresource: target.subresource, applied };
    const managedFields = [...fields.filter((entry) => !isMine(entry)), mine];
    const namespace = target.namespace || undefined;
    const next = { ...merged, metadata: { ...merged.metadata, name: target.name, namespace, managedFields } };
    if (!old) return this.#storage.create(target.table, next);
    const { resourceVersion: current, uid: currentUid } = old.metadata;
    const guard = { resourceVersion: resourceVersion ?? current, uid: uid ?? currentUid };
    return this.#storage.update(target.table, { ...next, metadata: { ...next.metadata, ...guard } }, partOf(target));
  }
}

function refuseConflicts(applied: unknown, others: readonly AppliedFields[]): void {
  for (const other of others) {
    const paths = disagreements(applied, other.applied);
    if (paths.length === 0) continue;
    throw new ApiError({ status: 409, reason: "Conflict", message: `Apply failed: conflict with "${other.manager}": ${paths.join(", ")}` });
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

function isPartial({ accept }: SeenRequest): boolean {
  return accept.includes("as=PartialObjectMetadata");
}

function partOf(target: Target): Part {
  return target.subresource === "status" ? "status" : "all but status";
}

function send(response: ServerResponse, status: number, body: unknown, headers: Record<string, string> = {}): void {
  response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
}

function cut(response: ServerResponse, { status, body }: { status: number; body: unknown }): void {
  const bytes = Buffer.from(JSON.stringify(body));
  response.writeHead(status, { "content-type": "application/json", "content-length": bytes.length });
  response.write(bytes.subarray(0, bytes.length / 2), () => response.socket?.destroy());
}

function refuse(response: ServerResponse, error: unknown): void {
  if (error instanceof PatchRefused) {
    send(response, 422, { kind: "Status", code: 422, reason: "Invalid", message: error.message });
    return;
  }
  if (!(error instanceof ApiError)) {
    send(response, 500, { kind: "Status", code: 500, reason: "InternalError", message: String(error) });
    return;
  }
  const { status, reason, message, details, retryAfter } = error;
  const headers: Record<string, string> = retryAfter === undefined ? {} : { "retry-after": String(retryAfter) };
  send(response, status, { kind: "Status", code: status, reason, message, details }, headers);
}
