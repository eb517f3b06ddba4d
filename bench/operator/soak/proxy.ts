import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { Agent, request } from "node:https";
import type { AddressInfo, Socket } from "node:net";
import { accessFrom } from "../operators/environment.ts";

const status = (code: number, reason: string, message: string) => ({
  kind: "Status",
  apiVersion: "v1",
  status: "Failure",
  code,
  reason,
  message,
});
const writes = new Set(["POST", "PUT", "PATCH"]);

/**
 * A proxy between an operator (plain HTTP) and a real API server (TLS, with the operator's certificate) that injects
 * faults.
 */
export class FaultProxy {
  readonly injected = { conflicts: 0, throttled: 0, resets: 0, expiredWatches: 0, unreachable: 0 };
  readonly #server: Server;
  readonly #upstream: URL;
  readonly #agent: Agent;
  readonly #conflictShare: number;
  readonly #random: () => number;
  readonly #sockets = new Set<Socket>();
  readonly #watches = new Set<ServerResponse>();
  #throttledUntil = 0;
  #peaceful = false;

  constructor(options: { kubeconfig: string; conflictShare: number; random?: () => number }) {
    const { server, tls } = accessFrom(options.kubeconfig);
    this.#upstream = new URL(server);
    this.#agent = new Agent({ ...tls, keepAlive: true });
    this.#conflictShare = options.conflictShare;
    this.#random = options.random ?? Math.random;
    this.#server = createServer((incoming, outgoing) => this.#handle(incoming, outgoing));
    this.#server.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  async start(): Promise<string> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.#server.close();
    this.#server.closeAllConnections();
    this.#agent.destroy();
  }

  /** Injects no more faults. */
  makePeace(): void {
    this.#peaceful = true;
    this.#throttledUntil = 0;
  }

  /** Cuts every connection, even during a request. */
  reset(): void {
    for (const socket of this.#sockets) {
      this.injected.resets += 1;
      socket.resetAndDestroy();
    }
  }

  /** Refuses all requests for a while, with a Retry-After of a second. */
  throttle(seconds: number): void {
    this.#throttledUntil = performance.now() + seconds * 1000;
  }

  /** Reports to every watch that its resource version is too old. */
  expireWatches(): void {
    const line = `${JSON.stringify({ type: "ERROR", object: status(410, "Expired", "too old resource version (injected)") })}\n`;
    for (const watch of this.#watches) {
      this.injected.expiredWatches += 1;
      watch.end(line);
    }
    this.#watches.clear();
  }

  #handle(incoming: IncomingMessage, outgoing: ServerResponse): void {
    if (performance.now() < this.#throttledUntil) {
      this.injected.throttled += 1;
      this.#refuse(incoming, outgoing, status(429, "TooManyRequests", "too many requests (injected)"));
    } else if (!this.#peaceful && writes.has(incoming.method ?? "") && this.#random() < this.#conflictShare) {
      this.injected.conflicts += 1;
      this.#refuse(incoming, outgoing, status(409, "Conflict", "the object has been modified (injected)"));
    } else this.#forward(incoming, outgoing);
  }

  #refuse(incoming: IncomingMessage, outgoing: ServerResponse, body: ReturnType<typeof status>): void {
    incoming.resume();
    const retry = body.code === 429 ? { "retry-after": "1" } : {};
    outgoing.writeHead(body.code, { "content-type": "application/json", ...retry }).end(JSON.stringify(body));
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { hostname, port } = this.#upstream;
    const { method, url: path, headers } = incoming;
    const sent = request({ hostname, port, method, path, headers: { ...headers, host: this.#upstream.host }, agent: this.#agent });
    // An unreachable server, or one that breaks off, looks to the operator as it would without the proxy.
    sent.on("error", () => {
      this.injected.unreachable += 1;
      outgoing.destroy();
    });
    outgoing.once("close", () => sent.destroy());
    sent.on("response", (answer) => {
      answer.on("error", () => outgoing.destroy());
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      if (path?.includes("watch=true") && answer.statusCode === 200) this.#relayWatch(answer, outgoing);
      else answer.pipe(outgoing);
    });
    incoming.pipe(sent);
  }

  /** Whole lines only, so that an injected line never lands inside one of the server's. */
  #relayWatch(answer: IncomingMessage, outgoing: ServerResponse): void {
    let rest = "";
    this.#watches.add(outgoing);
    outgoing.once("close", () => this.#watches.delete(outgoing));
    outgoing.flushHeaders();
    answer.setEncoding("utf8");
    answer.on("data", (chunk: string) => {
      const end = chunk.lastIndexOf("\n") + 1;
      if (end === 0) {
        rest += chunk;
        return;
      }
      if (!outgoing.writableEnded) outgoing.write(rest + chunk.slice(0, end));
      rest = chunk.slice(end);
    });
    answer.on("end", () => outgoing.end());
  }
}
