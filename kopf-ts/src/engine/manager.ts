import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import { Client } from "../api/client.ts";
import type { KubeConfigLike } from "../api/credentials.ts";
import type { KubeObject } from "../api/object.ts";
import type { Resource } from "../api/resource.ts";
import type { Cache, CacheSelection, Informer } from "../cache/cache.ts";
import { Informers } from "../cache/informers.ts";
import { terminationSignal } from "../core/abort-signals.ts";
import { type Clock, realClock } from "../core/clock.ts";
import { type Logger, loggerFrom } from "../core/logger.ts";
import { checkNumbers } from "../core/numbers.ts";
import type { Recorder } from "../outcome/recorder.ts";
import { Recorders } from "../outcome/recorders.ts";
import type { Controller, Surroundings } from "./controller.ts";
import { ControllerBuilder } from "./controller-builder.ts";
import { type Check, HealthServer } from "./health.ts";
import type { LeadershipLostError } from "./leader-election.ts";
import { Leadership } from "./leadership.ts";
import type { ManagerOptions } from "./manager-options.ts";
import { Metrics } from "./metrics.ts";
import { electing, type Permission, reading, telling, type Verb } from "./permission.ts";
import { type Runnable, RunnableGroup } from "./runnable-group.ts";
import { Stragglers } from "./stragglers.ts";

/** What a manager runs besides its controllers, such as Handlers: `manager.use(plugin)`. */
export interface Plugin {
  /** Called when the manager starts, before its caches: the place to add controllers. Rejecting aborts the start. */
  begin(manager: Manager): Promise<void>;
  /**
   * Called once controllers have ended, while the client still works; also if `begin` was never reached. Rejecting is
   * logged.
   */
  end(manager: Manager): Promise<void>;
  /** What it does in the cluster, as far as that is known before the start: for `rbacOf`. */
  declares?(): readonly Permission[];
  /** Asked at `/healthz`, by name: what each returns is shown, what it throws means that the program is not well. */
  readonly probes?: Readonly<Record<string, () => unknown>>;
}

/** The manager has stopped, and some work that ignores its signal is still running. */
export class StillRunningError extends Error {
  constructor() {
    super("some passes or handlers ignore their signal and still run; the program must exit, so that they do not run beside another's");
    this.name = "StillRunningError";
  }
}

/**
 * Runs controllers over shared caches. Start: probes → caches → (leadership) → controllers.
 * Stop: controllers drain → events → Lease released → caches → HTTP.
 *
 * @throws Error from the constructor if there is neither client nor kubeConfig, or if leader election has no namespace.
 * @throws RangeError from the constructor for an invalid time.
 *
 * @example
 * ```ts
 * import { Client, Manager, pods, ready, resource } from "kopf-ts";
 *
 * const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
 * const manager = new Manager({
 *   client: await Client.fromEnvironment(process.env),
 *   namespaces: ["shop"],
 *   leaderElection: { name: "widget-operator" },
 *   health: { port: 8080 },
 * });
 * manager
 *   .controller("widget")
 *   .for(widgets)
 *   .owns(pods)
 *   .complete((widget, ctx) => ready({ pods: ctx.cache(pods).list({ labels: { widget: widget.metadata.name } }).length }));
 *
 * await manager.run();
 * ```
 */
export class Manager {
  /** For reads, and for writes that do not need leadership. */
  readonly client: Client;
  /**
   * The same client for work that needs leadership: once this process no longer leads, a write is refused with
   * LeadershipLostError right before it would be sent. Without leader election it is `client`.
   */
  readonly leaderClient: Client;
  /** The metrics, in the registry of the options or a new one. */
  readonly metrics: Metrics;
  readonly logger: Logger;
  /** Time as this manager sees it. */
  readonly clock: Clock;
  readonly #options: ManagerOptions;
  readonly #informers: Informers;
  readonly #controllers: Controller<KubeObject>[] = [];
  readonly #runnables: RunnableGroup;
  readonly #plugins: Plugin[] = [];
  readonly #permitted: Permission[] = [];
  readonly #stragglers: Stragglers;
  readonly #recorders: Recorders;
  readonly #health: HealthServer | undefined;
  readonly #leadership: Leadership;
  readonly #cacheStop = new AbortController();
  readonly #done = Promise.withResolvers<void>();
  #caches: Promise<unknown> = Promise.resolve();
  #stopping: Promise<void> | undefined;
  #synced = false;
  #healthPort: number | undefined;

  constructor(options: ManagerOptions) {
    checkNumbers("Manager", options, {
      cacheSyncTimeoutSeconds: "a time above zero",
      gracePeriodSeconds: "a time, zero or more",
      resyncSeconds: "a time, zero or more",
    });
    this.#options = options;
    this.clock = options.clock ?? realClock;
    this.client = options.client ?? clientFrom(options.kubeConfig);
    this.metrics = new Metrics(options.metrics);
    this.logger = options.logger ?? loggerFrom(process.env);
    this.#stragglers = new Stragglers(this.clock);
    this.#runnables = new RunnableGroup(this.clock, this.logger);
    this.client.transport.observe(this.metrics.exchange);
    const { namespaces, random, freeze, watchList, resyncSeconds } = options;
    this.#informers = new Informers(
      { client: this.client, namespaces, clock: this.clock, logger: this.logger, random, freeze, watchList, resyncSeconds },
      (resource, informer) =>
        this.metrics.cache(
          resource,
          () => informer().size,
          () => informer().unfitSize,
        ),
    );
    const identity = options.leaderElection?.identity ?? `${hostname()}_${randomUUID()}`;
    const parts = { client: this.client, clock: this.clock, logger: this.logger, identity };
    this.#recorders = new Recorders({ ...parts, prefix: options.eventPrefix ?? "kopf-ts" });
    this.#leadership = new Leadership({
      ...parts,
      election: options.leaderElection,
      metrics: this.metrics,
      onAcquired: () => this.#onAcquired(),
      onLost: (error) => this.#onLost(error),
    });
    this.leaderClient = this.#leadership.client;
    this.#health = options.health ? this.#newHealthServer(options.health) : undefined;
    this.#done.promise.catch(() => {});
  }

  /** Adds a plugin and returns it: `const handlers = manager.use(new Handlers())`. Before the start. */
  use<P extends Plugin>(plugin: P): P {
    this.#plugins.push(plugin);
    return plugin;
  }

  /** Starts and stops a custom Runnable with the controllers. Before the start. */
  add(runnable: Runnable): void {
    this.#runnables.add(runnable);
  }

  /**
   * Begins a controller: `manager.controller("adapter").for(adapters).owns(pods).complete(reconcile)`.
   *
   * @throws Error if a controller of this name exists already.
   */
  controller(name: string): ControllerBuilder {
    if (this.#controllers.some((controller) => controller.name === name)) throw new Error(`there is a controller ${name} already`);
    return new ControllerBuilder(name, this.#surroundings, (controller) => {
      this.#controllers.push(controller);
      this.#runnables.add(controller);
    });
  }

  /**
   * The shared cache of a resource. Call it (and add indexes) before the start.
   *
   * @throws Error after the start, for a selection that nothing caches.
   *
   * @example
   * ```ts
   * import { type Manager, pods } from "kopf-ts";
   *
   * declare const manager: Manager;
   * const cache = manager.cache(pods).indexField("node", ({ spec }) => spec.nodeName);
   * cache.onChange(({ type, object }) => console.log(type, object.metadata.name));
   * const onNode = cache.byIndex("node", "node-1");
   * ```
   */
  cache<T extends KubeObject>(resource: Resource<T>, selection: CacheSelection = {}): Informer<T> {
    return this.#informers.of(resource, selection);
  }

  /** Says what the program does beside its controllers and handlers, with `manager.client`. Nothing but `rbacOf` asks for it. */
  uses(resource: Resource, ...verbs: readonly Verb[]): this {
    this.#permitted.push({ resource, verbs });
    return this;
  }

  /** What the program does in the cluster, as far as it has been declared. `rbacOf` of `kopf-ts/manifests` makes roles of it. */
  get permissions(): readonly Permission[] {
    const { leaderElection } = this.#options;
    return [
      ...this.#informers.all.map(({ resource }) => ({ resource, verbs: reading })),
      ...this.#permitted,
      ...this.#plugins.flatMap((plugin) => plugin.declares?.() ?? []),
      telling,
      ...(leaderElection ? [electing(leaderElection.namespace ?? "")] : []),
    ];
  }

  /** The namespaces to which the options restrict it; none: it sees all. */
  get namespaces(): readonly string[] {
    return this.#options.namespaces ?? [];
  }

  /** The recorder that signs as this controller. */
  recorder(name: string): Recorder {
    return this.#recorders.of(name);
  }

  /** Whether controllers may run here, now: true without leader election. */
  get leads(): boolean {
    return this.#leadership.leads;
  }

  /** The port of the probes, once started. */
  get healthPort(): number | undefined {
    return this.#healthPort;
  }

  /**
   * Resolves when the manager has stopped; rejects if leadership was lost, or if some work ignores its signal: then the
   * program must exit.
   */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /**
   * Resolves once every cache is complete and the controllers run (or, with leader election, will as soon as we lead).
   *
   * @throws Error if the caches are not complete within `cacheSyncTimeoutSeconds`, or a startup handler or a Runnable fails to start; the manager
   * has stopped then.
   */
  async start(): Promise<void> {
    this.#healthPort = await this.#health?.start();
    this.metrics.measureLag(true);
    try {
      for (const plugin of this.#plugins) await plugin.begin(this);
      if (this.#stopping) return;
      this.#caches = this.#informers.run(this.#cacheStop.signal);
      await this.#informers.waitForSync(this.#options.cacheSyncTimeoutSeconds ?? 120, this.#cacheStop.signal);
      if (this.#stopping) return;
      this.#synced = true;
      this.#runnables.start({ leads: this.leads });
    } catch (error) {
      await this.stop();
      throw error;
    }
    this.#leadership.start();
    this.logger.info("the manager has started", {
      controllers: this.#controllers.map(({ name }) => name),
      caches: this.#informers.all.length,
      ...(this.#healthPort === undefined ? {} : { healthPort: this.#healthPort }),
    });
  }

  /**
   * Starts, and runs until the signal (default: SIGTERM or SIGINT) aborts; then stops in good order.
   *
   * @throws LeadershipLostError if the Lease is lost.
   * @throws StillRunningError if a pass or handler ignores its signal beyond the grace period: let the program exit then.
   */
  async run(signal: AbortSignal = terminationSignal()): Promise<void> {
    const stop = () => void this.stop();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    await this.start();
    await this.done;
    signal.removeEventListener("abort", stop);
  }

  /** Stops in good order: reconciles end (those that do not within the grace period are aborted), then the rest. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop().then((hasEnded) => (hasEnded ? this.#done.resolve() : this.#done.reject(new StillRunningError())));
    return this.#stopping;
  }

  /** Returns whether all work has ended: only then may another process lead at once. */
  async #stop(): Promise<boolean> {
    const hasEnded = await this.#runnables.drain((this.#options.gracePeriodSeconds ?? 30) * 1000);
    for (const plugin of this.#plugins) await this.#end(plugin);
    await this.#leadership.stop(hasEnded);
    await this.#recorders.flush();
    this.#cacheStop.abort();
    await this.#caches;
    await this.#health?.stop();
    this.metrics.measureLag(false);
    await this.client.close();
    return hasEnded;
  }

  /** Whatever a plugin does, the Lease is released and the rest is stopped. */
  async #end(plugin: Plugin): Promise<void> {
    try {
      await plugin.end(this);
    } catch (error) {
      this.logger.error("a plugin failed to end", { error });
    }
  }

  /** What can't be started ends the program in good order: without it, it would lead and do only a part of its work. */
  #onAcquired(): void {
    if (this.#stopping) return;
    try {
      this.#runnables.start({ leads: true });
    } catch (error) {
      this.#done.reject(error);
      void this.stop();
    }
  }

  #onLost(error: LeadershipLostError): void {
    this.#runnables.abort(error);
    this.#done.reject(error);
    void this.stop();
  }

  #newHealthServer(health: NonNullable<ManagerOptions["health"]>): HealthServer {
    const caches: Check = () => (this.#synced ? null : "the caches are not complete yet");
    const probes = () => Object.assign({}, ...this.#plugins.map((plugin) => plugin.probes)) as NonNullable<Plugin["probes"]>;
    const stragglers: Check = () => this.#stragglers.complaint();
    return new HealthServer({ ...health, ready: { caches, stragglers, ...health.ready }, probes, metrics: this.metrics });
  }

  get #surroundings(): Surroundings {
    const cache: Cache = (resource, selection) => this.cache(resource, selection);
    const recorder = (name: string) => this.recorder(name);
    return {
      client: this.client,
      leaderClient: this.leaderClient,
      leads: () => this.leads,
      stragglers: this.#stragglers,
      informers: this.#informers,
      cache,
      clock: this.clock,
      logger: this.logger,
      metrics: this.metrics,
      recorder,
      permit: (...permissions) => void this.#permitted.push(...permissions),
    };
  }
}

function clientFrom(kubeConfig: KubeConfigLike | undefined): Client {
  if (!kubeConfig) throw new Error("a Manager needs a client or a kubeConfig; Client.fromEnvironment(process.env) makes a client");
  return Client.fromKubeConfig(kubeConfig);
}
