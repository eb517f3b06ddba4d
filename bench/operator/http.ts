import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { accessFrom } from "./operators/environment.ts";

export class HttpError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

/** A plain API client for load and observation: it shares no code with what is measured. */
export class Api {
  readonly #server: URL;
  readonly #agent: Agent;

  constructor(kubeconfig: string, connections = 64) {
    const { server, tls } = accessFrom(kubeconfig);
    this.#server = new URL(server);
    this.#agent = new Agent({ ...tls, keepAlive: true, maxSockets: connections });
  }

  async call<T = unknown>(method: Method, path: string, body?: unknown, contentType = "application/json"): Promise<T> {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const response = await this.#send(method, path, text, contentType);
    const answer = await textOf(response);
    const status = response.statusCode ?? 0;
    if (status >= 400) throw new HttpError(status, `${method} ${path} was answered with ${status}: ${answer.slice(0, 300)}`);
    return (answer.startsWith("{") ? JSON.parse(answer) : answer) as T;
  }

  /** A merge patch. */
  patch<T = unknown>(path: string, body: unknown): Promise<T> {
    return this.call("PATCH", path, body, "application/merge-patch+json");
  }

  /** Calls `onLine` with each line of a watch, until the server ends it. */
  async lines(path: string, onLine: (line: string) => void): Promise<void> {
    const response = await this.#send("GET", path, undefined, "application/json");
    if ((response.statusCode ?? 0) >= 400) throw new HttpError(response.statusCode ?? 0, `GET ${path}: ${await textOf(response)}`);
    let rest = "";
    response.setEncoding("utf8");
    for await (const chunk of response as AsyncIterable<string>) {
      const lines = (rest + chunk).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) if (line !== "") onLine(line);
    }
  }

  close(): void {
    this.#agent.destroy();
  }

  #send(method: Method, path: string, body: string | undefined, contentType: string): Promise<IncomingMessage> {
    return new Promise((resolve, reject) => {
      const headers: Record<string, string | number> = { accept: "application/json" };
      if (body !== undefined) Object.assign(headers, { "content-type": contentType, "content-length": Buffer.byteLength(body) });
      const { hostname, port } = this.#server;
      const sent = request({ hostname, port, method, path, headers, agent: this.#agent }, resolve);
      sent.on("error", reject);
      sent.end(body);
    });
  }
}

async function textOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString("utf8");
}

/** Runs `work` for 0 … count-1, at most `width` at a time. */
export async function inParallel(count: number, width: number, work: (index: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const lane = async () => {
    for (let index = next++; index < count; index = next++) await work(index);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, lane));
}
