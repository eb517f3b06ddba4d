import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Clock } from "../clock.ts";

export type Seen = { method: string; path: string; headers: IncomingMessage["headers"]; body: Buffer };
type Handler = (seen: Seen, response: ServerResponse) => void | Promise<void>;
export type TestServer = { url: string; requests: Seen[]; close(): Promise<void> };

/** A small HTTP server on loopback that responds as the test defines and records its requests. */
export async function testServer(handler: Handler): Promise<TestServer> {
  const requests: Seen[] = [];
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const seen = { method: request.method ?? "", path: request.url ?? "", headers: request.headers, body: Buffer.concat(chunks) };
    requests.push(seen);
    await handler(seen, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { url: `http://127.0.0.1:${port}`, requests, close };
}

/** Uses the handlers one after another, and the last one for all further requests. */
export function inTurn(...handlers: Handler[]): Handler {
  let turn = 0;
  return (seen, response) => (handlers[Math.min(turn++, handlers.length - 1)] as Handler)(seen, response);
}

export const json =
  (status: number, body: unknown, headers: Record<string, string> = {}): Handler =>
  (_, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers }).end(JSON.stringify(body));
  };
export const status =
  (code: number, headers: Record<string, string> = {}, text = ""): Handler =>
  (_, response) =>
    void response.writeHead(code, headers).end(text);
/** Resets the connection before any response. */
export const reset: Handler = (_, response) => void response.socket?.resetAndDestroy();
/** Announces the full length of `bytes` and sends half of them. */
export const truncated =
  (bytes: Uint8Array): Handler =>
  (_, response) => {
    response.writeHead(200, { "content-length": String(bytes.length) });
    response.write(bytes.subarray(0, bytes.length >> 1), () => response.socket?.resetAndDestroy());
  };

/** A clock whose waits end at once and are recorded. */
export function testClock(start = 1_800_000_000_000): Clock & { waits: number[] } {
  let time = start;
  const waits: number[] = [];
  return {
    waits,
    now: () => time,
    random: () => 0.5,
    wait: async (milliseconds, signal) => {
      signal?.throwIfAborted();
      waits.push(milliseconds);
      time += milliseconds;
      await new Promise((resolve) => setImmediate(resolve));
    },
  };
}
