import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { canonicalJSON, sha256 } from "@rune/clients/digest";

/** A registry that only answers what a test put in it, by digest or tag, over real HTTP. A fake: it checks no token. */
export class MemoryRegistry {
  readonly #content = new Map<string, Buffer>();
  readonly #server: Server;
  /** While true every request fails with 503. */
  away = false;

  private constructor() {
    this.#server = createServer((request, response) => {
      const body = this.#content.get(request.url?.split("/").at(-1) ?? "");
      if (this.away) response.writeHead(503).end();
      else if (body) response.writeHead(200).end(body);
      else response.writeHead(404).end();
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

  /** Stores a value as canonical JSON, by its digest and by a tag. */
  put(value: unknown, tag?: string): { digest: string; size: number } {
    const bytes = canonicalJSON(value);
    const digest = sha256(bytes);
    for (const name of [digest, ...(tag ? [tag] : [])]) this.#content.set(name, bytes);
    return { digest, size: bytes.length };
  }

  async stop(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }
}
