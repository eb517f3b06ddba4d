import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { messageOf } from "../core/errors.ts";

/** Returns null if all is well, else a sentence with the problem. */
export type Check = () => string | null | Promise<string | null>;

/** Where probes and metrics are served, and the checks behind them. */
export interface HealthOptions {
  /** 0 takes any free port. */
  readonly port: number;
  /** The address to listen on. Default: all of them. */
  readonly host?: string;
  readonly live?: Readonly<Record<string, Check>>;
  readonly ready: Readonly<Record<string, Check>>;
  /** Shown at `/healthz` with their results; one that throws counts as failed. */
  readonly probes?: () => Readonly<Record<string, () => unknown>>;
  /** Served at `/metrics`. */
  readonly metrics: {
    /** The Prometheus text. */
    text(): Promise<string>;
    readonly contentType: string;
  };
}

/** `/healthz`, `/readyz` and `/metrics` over plain HTTP. */
export class HealthServer {
  readonly #options: HealthOptions;
  readonly #server: Server;

  constructor(options: HealthOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      this.#answer(request, response).catch((error: unknown) => {
        response.writeHead(500, { "content-type": "text/plain" }).end(`${messageOf(error)}\n`);
      });
    });
  }

  /** Resolves with the port once it listens. */
  async start(): Promise<number> {
    await new Promise<void>((resolve, reject) => {
      this.#server.once("error", reject);
      this.#server.listen(this.#options.port, this.#options.host, () => resolve());
    });
    return (this.#server.address() as AddressInfo).port;
  }

  /** Closes every connection. */
  async stop(): Promise<void> {
    if (!this.#server.listening) return;
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
      this.#server.closeAllConnections();
    });
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url?.split("?")[0];
    if (path === "/healthz") await answerChecks(response, this.#options.live ?? {}, this.#options.probes?.());
    else if (path === "/readyz") await answerChecks(response, this.#options.ready);
    else if (path === "/metrics") {
      const text = await this.#options.metrics.text();
      response.writeHead(200, { "content-type": this.#options.metrics.contentType }).end(text);
    } else response.writeHead(404, { "content-type": "text/plain" }).end("there are /healthz, /readyz and /metrics here\n");
  }
}

async function answerChecks(
  response: ServerResponse,
  checks: Readonly<Record<string, Check>>,
  probes: Readonly<Record<string, () => unknown>> = {},
): Promise<void> {
  const lines: string[] = [];
  let well = true;
  for (const [name, check] of Object.entries(checks)) {
    const problem = await outcomeOf(check);
    if (problem !== null) well = false;
    lines.push(problem === null ? `[+] ${name}` : `[-] ${name}: ${problem}`);
  }
  for (const [name, probe] of Object.entries(probes)) {
    let answer: string | undefined;
    const problem = await outcomeOf(async () => {
      answer = JSON.stringify(await probe());
      return null;
    });
    if (problem !== null) well = false;
    const said = answer === undefined ? "" : `: ${answer}`;
    lines.push(problem === null ? `[+] ${name}${said}` : `[-] ${name}: ${problem}`);
  }
  response
    .writeHead(well ? 200 : 503, { "content-type": "text/plain; charset=utf-8" })
    .end(`${[...lines, well ? "ok" : "not ok"].join("\n")}\n`);
}

async function outcomeOf(check: Check): Promise<string | null> {
  try {
    return await check();
  } catch (error) {
    return messageOf(error);
  }
}
