import type { Client } from "../api/client.ts";
import type { Resource } from "../api/resource.ts";
import { jsonLogger, type LogLevel } from "../core/logger.ts";
import { Operator, type OperatorOptions } from "../handlers/operator.ts";
import { FakeApiServer } from "./fake-api-server.ts";

/** Where an operator under test runs, and how. */
export interface OperatorRunnerOptions extends Omit<OperatorOptions, "client" | "kubeConfig" | "logger"> {
  /** Run against this server; it is left running. Default: a new one, stopped with the runner. */
  readonly server?: FakeApiServer;
  /** Or against a real cluster: clients of it, each to be closed by the caller. */
  readonly newClient?: () => Client | Promise<Client>;
  /** What discovery of the runner's server returns besides the built-in kinds. */
  readonly resources?: readonly Resource[];
  /** Default `info`. */
  readonly logLevel?: LogLevel;
}

/** One line of the operator's log. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly message: string;
  readonly [field: string]: unknown;
}

/**
 * Runs a whole operator within a test and stops it, as Kopf's KopfRunner does.
 * `stop` rejects if the operator failed meanwhile.
 *
 * @example
 * ```ts
 * import { resource } from "kopf-ts";
 * import { OperatorRunner } from "kopf-ts/testing";
 *
 * const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
 * const key = { namespace: "shop", name: "a" };
 * await using runner = await OperatorRunner.start((operator) =>
 *   operator.on.create(widgets, ({ patch }) => void (patch.status.phase = "made")),
 * );
 * await runner.client.create(widgets, { apiVersion: "example.dev/v1", kind: "Widget", metadata: key });
 * await runner.until(async () => (await runner.client.get(widgets, key)).status?.phase === "made");
 * ```
 */
export class OperatorRunner implements AsyncDisposable {
  readonly operator: Operator;
  /** The test's client. */
  readonly client: Client;
  /** Undefined on a real cluster. */
  readonly server: FakeApiServer | undefined;
  readonly log: LogEntry[];
  readonly #ownServer: boolean;
  #stopping: Promise<void> | undefined;

  private constructor(parts: { operator: Operator; client: Client; server?: FakeApiServer; log: LogEntry[]; ownServer: boolean }) {
    this.operator = parts.operator;
    this.client = parts.client;
    this.server = parts.server;
    this.log = parts.log;
    this.#ownServer = parts.ownServer;
  }

  /** Resolves when the operator's caches are complete and its handlers run; rejects, with nothing left behind, if it cannot start. */
  static async start(define: (operator: Operator) => void, options: OperatorRunnerOptions = {}): Promise<OperatorRunner> {
    const { newClient, resources, logLevel = "info", ...rest } = options;
    const server = newClient ? undefined : (options.server ?? (await FakeApiServer.start({ resources })));
    const connect = async () => (server ? server.client({ clock: options.clock }) : ((await newClient?.()) as Client));
    const log: LogEntry[] = [];
    const logger = jsonLogger({ level: logLevel, write: (line) => log.push(JSON.parse(line) as LogEntry) });
    const operator = new Operator({ freeze: "deep", ...rest, client: await connect(), logger });
    const runner = new OperatorRunner({ operator, client: await connect(), server, log, ownServer: !options.server });
    try {
      define(operator);
      await operator.start();
    } catch (error) {
      await runner.stop();
      throw error;
    }
    return runner;
  }

  /**
   * Resolves with the first result that is neither false nor undefined; errors count as no result yet. Fails after
   * `seconds` (default 10), with the last error.
   */
  async until<T>(answer: () => T | Promise<T>, seconds = 10): Promise<NonNullable<T>> {
    const deadline = performance.now() + seconds * 1000;
    for (;;) {
      let problem: unknown;
      try {
        const found = await answer();
        if (found !== undefined && found !== null && found !== false) return found;
      } catch (error) {
        problem = error;
      }
      if (performance.now() > deadline) throw new Error(`it did not come true within ${seconds} s`, { cause: problem });
      await new Promise((resolve) => setTimeout(resolve, this.server ? 2 : 50));
    }
  }

  /** Stops the operator in order, then what belongs to the runner. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** `stop`, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #stop(): Promise<void> {
    try {
      await this.operator.stop();
    } finally {
      await this.client.close();
      if (this.#ownServer) await this.server?.stop();
    }
  }
}
