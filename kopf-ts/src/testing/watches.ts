import type { ServerResponse } from "node:http";
import type { KubeObject } from "../api/object.ts";
import { partial } from "./partial-metadata.ts";
import type { Recorded, Storage } from "./storage.ts";

interface Selection {
  readonly table: string;
  readonly namespace: string;
  readonly resourceVersion: number;
  /** Existing objects are sent first. */
  readonly initial: boolean;
  /** After that, the end mark of a WatchList. */
  readonly endMark: boolean;
  readonly metadataOnly: boolean;
  readonly matches: (object: KubeObject) => boolean;
}

interface Watch {
  readonly response: ServerResponse;
  readonly selection: Selection;
  muted: boolean;
}

/** The open watches of a FakeApiServer. */
export class Watches {
  readonly #storage: Storage;
  readonly #open = new Set<Watch>();
  /** Events are written in pieces of this size; 0: whole. */
  pieceBytes = 0;

  constructor(storage: Storage) {
    this.#storage = storage;
    storage.listen((recorded) => {
      for (const watch of this.#open) this.#deliver(watch, recorded);
    });
  }

  get size(): number {
    return this.#open.size;
  }

  /** Sends what happened after the given version, then what happens. */
  open(response: ServerResponse, selection: Selection): void {
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (selection.resourceVersion < this.#storage.oldest) {
      const message = `too old resource version: ${selection.resourceVersion} (${this.#storage.oldest})`;
      response.end(line("ERROR", { kind: "Status", code: 410, reason: "Expired", message }));
      return;
    }
    const watch: Watch = { response, selection, muted: false };
    if (selection.initial) this.#sendInitial(watch);
    else for (const recorded of this.#storage.since(selection.resourceVersion)) this.#deliver(watch, recorded);
    this.#open.add(watch);
    response.on("close", () => this.#open.delete(watch));
  }

  #sendInitial(watch: Watch): void {
    const revision = this.#storage.revision;
    // In no order of versions, as the real server does not promise any.
    const objects = this.#storage.all(watch.selection.table).reverse();
    for (const object of objects) this.#deliver(watch, { revision, table: watch.selection.table, type: "ADDED", object });
    if (!watch.selection.endMark) return;
    const annotations = { "k8s.io/initial-events-end": "true" };
    watch.response.write(line("BOOKMARK", { kind: "Bookmark", metadata: { resourceVersion: String(revision), annotations } }));
  }

  bookmark(): void {
    const object = { kind: "Bookmark", metadata: { resourceVersion: String(this.#storage.revision) } };
    for (const watch of this.#open) if (!watch.muted) watch.response.write(line("BOOKMARK", object));
  }

  close(): void {
    for (const { response } of this.#open) response.end();
    this.#open.clear();
  }

  reset(): void {
    for (const { response } of this.#open) response.socket?.destroy();
    this.#open.clear();
  }

  fail(status: unknown): void {
    for (const { response } of this.#open) response.end(line("ERROR", status));
    this.#open.clear();
  }

  mute(): void {
    for (const watch of this.#open) watch.muted = true;
  }

  write(bytes: Uint8Array): void {
    for (const { response } of this.#open) response.write(bytes);
  }

  #deliver(watch: Watch, { table, type, object, old }: Recorded): void {
    const { selection, response, muted } = watch;
    if (muted || selection.table !== table) return;
    if (selection.namespace && object.metadata.namespace !== selection.namespace) return;
    const [before, after] = [old !== undefined && selection.matches(old), type !== "DELETED" && selection.matches(object)];
    if (!before && !after) return;
    const seen = before && after ? "MODIFIED" : after ? "ADDED" : "DELETED";
    this.#write(response, line(seen, selection.metadataOnly ? partial(object) : object));
  }

  #write(response: ServerResponse, text: string): void {
    const bytes = Buffer.from(text);
    const size = this.pieceBytes || bytes.length;
    for (let start = 0; start < bytes.length; start += size) response.write(bytes.subarray(start, start + size));
  }
}

function line(type: string, object: unknown): string {
  return `${JSON.stringify({ type, object })}\n`;
}
