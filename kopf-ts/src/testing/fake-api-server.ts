import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { ApiError } from "../api/api-error.ts";
import { Client } from "../api/client.ts";
import { staticCredentials } from "../api/credentials.ts";
import { type DynamicObject, type KubeObject, keyOf } from "../api/object.ts";
import { builtins, nameOf, type Resource } from "../api/resource.ts";
import type { TransportOptions } from "../api/transport.ts";
import type { Clock } from "../core/clock.ts";
import { groupList, resourceList } from "./discovery.ts";
import { type Fault, Faults, type SeenRequest } from "./faults.ts";
import { isPartial } from "./partial-metadata.ts";
import { selectorOf, type Target, targetOf } from "./request-url.ts";
import { cut, refuse, send } from "./responses.ts";
import { RestHandler } from "./rest-handler.ts";
import { Storage } from "./storage.ts";
import { Watches } from "./watches.ts";

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
  readonly #rest = new RestHandler(this.#storage);
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
    this.#rest.review(nameOf(resource), review);
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
    this.#rest.expirePages();
  }

  /** From now on, page tokens are too old, though history is not. */
  expirePages(): void {
    this.#rest.expirePages();
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
    if (request.path === "/apis") return { status: 200, body: groupList(this.#resources) };
    if (!target.table) return { status: 200, body: resourceList(this.#resources, target) };
    if (request.watch) {
      this.#watch(target, request, response);
      return undefined;
    }
    return this.#rest.handle(target, request);
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
}
