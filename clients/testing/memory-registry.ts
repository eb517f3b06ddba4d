import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { canonicalJSON, sha256 } from "../registry/digest.ts";

type Stored = { subject?: { digest: string }; artifactType?: string };

/** Handles one kind of request: method, path pattern, and a handler that gets the captured groups and the query. */
type Route = readonly [method: string, path: RegExp, answer: (response: ServerResponse, caught: string[], query: URLSearchParams) => void];

/**
 * An in-memory registry over real HTTP: content from the test and from pushes, by digest or tag, regardless of the
 * repository. Tags and referrers have pages of two. A fake: it checks no token.
 */
export class MemoryRegistry {
  readonly #content = new Map<string, Buffer>();
  readonly #server: Server;
  /** While true every request fails with 503. */
  away = false;
  /** Whether it has a referrers API. */
  hasReferrers = false;
  /** Received requests, as `GET /v2/…`. */
  readonly requests: string[] = [];

  private constructor() {
    this.#server = createServer(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      this.requests.push(`${request.method} ${request.url}`);
      if (this.away) response.writeHead(503).end();
      else if (request.method === "PUT") this.#store(request, Buffer.concat(chunks), response);
      else this.#answer(request, response);
    });
  }

  static async start(): Promise<MemoryRegistry> {
    const registry = new MemoryRegistry();
    await new Promise<void>((resolve) => registry.#server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Stores a value as canonical JSON, under its digest and a tag. */
  put(value: unknown, tag?: string): { digest: string; size: number } {
    const bytes = canonicalJSON(value);
    const digest = sha256(bytes);
    for (const name of [digest, ...(tag ? [tag] : [])]) this.#content.set(name, bytes);
    return { digest, size: bytes.length };
  }

  /** Deletes the content under a digest or a tag. */
  lose(name: string): void {
    this.#content.delete(name);
  }

  /** All content, by digest and by tag. */
  snapshot(): ReadonlyMap<string, Buffer> {
    return new Map(this.#content);
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  readonly #routes: readonly Route[] = [
    ["POST", /\/blobs\/uploads\/$/, (response) => void response.writeHead(202, { location: "/uploads/1" }).end()],
    ["GET", /^\/v2\/(.*)\/tags\/list$/, (response, [repository = ""], query) => this.#listTags(response, repository, query)],
    ["GET", /\/referrers\/(.*)$/, (response, [subject = ""], query) => this.#listReferrers(response, subject, query)],
  ];

  #answer({ method, url = "" }: IncomingMessage, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, this.url);
    for (const [wanted, path, answer] of this.#routes) {
      const found = path.exec(pathname);
      if (method !== wanted || !found) continue;
      answer(response, found.slice(1), searchParams);
      return;
    }
    const body = this.#content.get(pathname.split("/").at(-1) ?? "");
    if (body) response.writeHead(200).end(method === "HEAD" ? undefined : body);
    else response.writeHead(404).end();
  }

  /** A blob at the end of an upload, or a manifest under a digest or a tag. */
  #store({ url = "" }: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const { pathname, searchParams } = new URL(url, this.url);
    const digest = sha256(body);
    const reference = searchParams.get("digest") ?? pathname.split("/").at(-1) ?? "";
    for (const name of new Set([digest, reference])) this.#content.set(name, body);
    response.writeHead(201, { location: `/v2/x/blobs/${digest}` }).end();
  }

  #listTags(response: ServerResponse, repository: string, query: URLSearchParams): void {
    const tags = [...this.#content.keys()].filter((name) => !name.startsWith("sha256:")).sort();
    const after = tags.filter((tag) => tag > (query.get("last") ?? ""));
    const page = after.slice(0, 2);
    const link = `</v2/${repository}/tags/list?n=2&last=${page.at(-1)}>; rel="next"`;
    response.writeHead(200, after.length > 2 ? { link } : {}).end(JSON.stringify({ name: repository, tags: page }));
  }

  /** Lists all types, as a registry may that doesn't filter. */
  #listReferrers(response: ServerResponse, subject: string, query: URLSearchParams): void {
    if (!this.hasReferrers) return void response.writeHead(404).end();
    const all = [...this.#content].flatMap(([name, bytes]) => {
      const stored = name.startsWith("sha256:") ? parsed(bytes) : {};
      return stored.subject?.digest === subject ? [{ digest: name, size: bytes.length, artifactType: stored.artifactType }] : [];
    });
    const from = Number(query.get("from") ?? 0);
    const link = `<?from=${from + 2}>; rel="next"`;
    const body = JSON.stringify({ schemaVersion: 2, manifests: all.slice(from, from + 2) });
    response.writeHead(200, from + 2 < all.length ? { link } : {}).end(body);
  }
}

function parsed(bytes: Buffer): Stored {
  try {
    return JSON.parse(bytes.toString()) ?? {};
  } catch {
    return {};
  }
}
