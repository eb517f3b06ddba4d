import { Client } from "../api/client.ts";
import { staticCredentials } from "../api/credentials.ts";
import { terminationSignal } from "../core/abort-signals.ts";
import { loggerFrom } from "../core/logger.ts";
import { Manager } from "../engine/manager.ts";
import type { ManagerOptions } from "../engine/manager-options.ts";
import { electing, type Permission } from "../engine/permission.ts";
import { Handlers } from "./handlers.ts";
import type { HandlersOptions } from "./resource-handlers.ts";

/** Options of an Operator: those of its manager and of its handlers. */
export interface OperatorOptions extends ManagerOptions, HandlersOptions {
  /** Where to look for a service account or a kubeconfig if there is neither client nor login handler, and for how to log. Default `process.env`. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/**
 * A whole program of handlers. It runs on a Manager, where reconcilers may run too: `define` receives it before the
 * start.
 *
 * @example
 * ```ts
 * import { Operator, resource } from "kopf-ts";
 *
 * const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
 * const operator = new Operator({ health: { port: 8080 } });
 *
 * operator.on.create(widgets, { retries: 5 }, ({ spec, patch }) => {
 *   patch.status.address = `10.0.0.${spec.size}`;
 * });
 *
 * await operator.run();
 * ```
 */
export class Operator extends Handlers {
  readonly #options: OperatorOptions;
  readonly #definitions: ((manager: Manager) => void)[] = [];
  #manager: Manager | undefined;

  constructor(options: OperatorOptions = {}) {
    super(options);
    this.#options = options;
  }

  /** Adds reconcilers, caches and whatever else a manager runs. */
  define(definition: (manager: Manager) => void): this {
    this.#definitions.push(definition);
    return this;
  }

  /** The manager; available once the start has begun. */
  get manager(): Manager {
    if (!this.#manager) throw new Error("the operator has not been started");
    return this.#manager;
  }

  /** What the operator does in the cluster, as far as it has been declared: its handlers, its definitions, its Lease. */
  get permissions(): readonly Permission[] {
    const { leaderElection } = this.#options;
    if (this.#manager) return this.#manager.permissions;
    return [...this.#unreachable().permissions, ...(leaderElection ? [electing(leaderElection.namespace ?? "")] : [])];
  }

  /** The namespaces to which the options restrict it; none: it sees all. */
  get namespaces(): readonly string[] {
    return this.#options.namespaces ?? [];
  }

  /** A manager that is asked what it would do, and never started: no server is needed for that. */
  #unreachable(): Manager {
    const client = Client.fromCredentials(staticCredentials("http://localhost"));
    const manager = new Manager({ ...this.#options, client, metrics: undefined, leaderElection: undefined });
    for (const definition of this.#definitions) definition(manager);
    manager.use(this);
    return manager;
  }

  /** Resolves once every cache is complete and the handlers run (or will, as soon as we lead). */
  async start(): Promise<void> {
    await (await this.#prepare()).start();
  }

  /** Stops in good order. Resolves at once if the operator was not started. */
  stop(): Promise<void> {
    return this.#manager?.stop() ?? Promise.resolve();
  }

  /**
   * Starts, and runs until the signal (default: SIGTERM or SIGINT) aborts (then it stops in order) or leadership is
   * lost (then it rejects).
   */
  async run(signal: AbortSignal = terminationSignal()): Promise<void> {
    const manager = await this.#prepare();
    await manager.run(signal);
  }

  async #prepare(): Promise<Manager> {
    if (this.#manager) throw new Error("an operator is started once; make a new one to start again");
    const client = this.#options.client ?? (this.#options.kubeConfig ? undefined : await this.#login());
    const { environment = process.env, logger = loggerFrom(environment) } = this.#options;
    const manager = new Manager({ ...this.#options, logger, ...(client ? { client } : {}) });
    manager.use(this);
    this.#manager = manager;
    for (const definition of this.#definitions) definition(manager);
    return manager;
  }

  async #login(): Promise<Client> {
    const { clock, environment = process.env } = this.#options;
    const credentials = await this.login();
    return credentials ? Client.fromCredentials(credentials, { clock }) : await Client.fromEnvironment(environment, { clock });
  }
}
