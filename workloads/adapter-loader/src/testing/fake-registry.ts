import { type TestServer, testServer } from "@rune/clients/testing/http-server";
import type { TestArtifact } from "./fixtures.ts";

/** Serves pulls of artifacts from memory. */
export class FakeRegistry {
  readonly blobs = new Map<string, Buffer>();
  down = false;
  #gate: Promise<void> = Promise.resolve();
  #server: TestServer | undefined;

  async start(): Promise<string> {
    this.#server = await testServer(async (seen, response) => {
      await this.#gate;
      const bytes = this.blobs.get(seen.path.split("/").at(-1) ?? "");
      if (this.down) response.writeHead(503).end();
      else if (!bytes) response.writeHead(404).end();
      else response.end(bytes);
    });
    return this.#server.url;
  }

  get pulls(): string[] {
    return this.#server?.requests.map((request) => request.path) ?? [];
  }

  add(...artifacts: TestArtifact[]): void {
    for (const artifact of artifacts) for (const [digest, bytes] of artifact.blobs) this.blobs.set(digest, bytes);
  }

  /** Holds all answers back until the returned function is called. */
  hold(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#gate = promise;
    return resolve;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
  }
}
