import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Registry } from "prom-client";
import { Client } from "../api/client.ts";
import type { KubeConfigLike } from "../api/credentials.ts";
import type { KubeObject } from "../api/object.ts";
import { nameOf, type Resource } from "../api/resource.ts";
import { type Cache, type CacheSelection, type Informer, Informers } from "../cache/cache.ts";
import type { FreezeDepth } from "../cache/store.ts";
import { terminationSignal } from "../core/abort-signals.ts";
import { type Clock, realClock, sleep } from "../core/clock.ts";
import { type Logger, loggerFrom } from "../core/logger.ts";
import { checkNumbers } from "../core/numbers.ts";
import { Recorder } from "../outcome/recorder.ts";
import type { Controller, Surroundings } from "./controller.ts";
import { ControllerBuilder } from "./controller-builder.ts";
import { type Check, HealthServer } from "./health.ts";
import { type LeaderElectionOptions, LeaderElector, LeadershipLostError } from "./leader-election.ts";
import { Metrics } from "./metrics.ts";
import { electing, type Permission, reading, telling, type Verb } from "./permission.ts";
import { Stragglers } from "./stragglers.ts";

/** The manager has stopped, and some work that ignores its signal is still running. */
export class StillRunningError extends Error {
  constructor() {
    super("some passes or handlers ignore their signal and still run; the program must exit, so that they do not run beside another's");
    this.name = "StillRunningError";
  }
}

/** What a manager starts and stops; controllers are Runnables too. */
export interface Runnable {
  /** Runs only while this process leads. */
  readonly needLeaderElection: boolean;
  /** Called once, when every cache is complete. */
  start(): void;
  /** Starts nothing more; resolves once running work has ended. */
  drain(): Promise<void>;
  /** Aborts running work at once: leadership is lost, or the grace period is over. */
  abort(reason: Error): void;
}

/** Work that heeds its signal ends within this time. */
const abortMilliseconds = 1_000;

/** For unsent events when the manager stops. */
const flushMilliseconds = 5_000;

/** Options of a Manager: a client or a kubeConfig, and how it runs. Invalid times are refused with a RangeError. */
export interface ManagerOptions {
  /** Owned by the manager from then on: it is closed when the manager stops. */
  readonly client?: Client;
  /** In place of a client: one is made from it. */
  readonly kubeConfig?: KubeConfigLike | undefined;
  /** Only these namespaces are seen. Default: all. */
  readonly namespaces?: readonly string[];
  /**
   * Only the holder of this Lease reconciles; the others keep their caches full and wait. Its namespace is that of the
   * client's credentials if none is given. Default: no Lease, and every process reconciles.
   */
  readonly leaderElection?: Partial<LeaderElectionOptions> & Pick<LeaderElectionOptions, "name">;
  /** A registry to put the metrics in. Default: a new one. */
  readonly metrics?: Registry;
  /** Where probes and metrics are served. Default: nowhere. */
  readonly health?: {
    readonly port: number;
    readonly host?: string;
    readonly ready?: Record<string, Check>;
    readonly live?: Record<string, Check>;
  };
  /** Default: on standard error, as `KOPF_LOG_LEVEL` and `KOPF_LOG_FORMAT` say (`loggerFrom`). */
  readonly logger?: Logger;
  /** Default: the clock of this machine. Tests give a VirtualClock. */
  readonly clock?: Clock;
  /** From 0 to below 1: spreads waits. Default `Math.random`. */
  readonly random?: () => number;
  /** The start fails if the caches are not complete after this time. Default 120. */
  readonly cacheSyncTimeoutSeconds?: number;
  /** How long running work may take to end when the manager stops. Default 30. */
  readonly gracePeriodSeconds?: number;
  /** How deep cached objects are frozen. Deep finds more bugs and costs more: for tests. Default shallow. */
  readonly freeze?: FreezeDepth;
  /**
   * Fill caches from the watch itself (WatchList, KEP-3157) if the server supports it; otherwise from lists. Default
   * false.
   */
  readonly watchList?: boolean;
  /**
   * Reconcile everything again after this time, ±10 %, from the caches and with low priority. Default, and 0: never;
   * level-triggered code needs none.
   */
  readonly resyncSeconds?: number;
  /** `reportingController` of events is `<prefix>/<controller>`. Default `kopf-ts`. */
  readonly eventPrefix?: string;
}

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
  readonly #identity: string;
  readonly #informers: Informers;
  readonly #controllers: Controller<KubeObject>[] = [];
  readonly #runnables: Runnable[] = [];
  readonly #plugins: Plugin[] = [];
  readonly #permitted: Permission[] = [];
  readonly #stragglers: Stragglers;
  readonly #recorders = new Map<string, Recorder>();
  readonly #health: HealthServer | undefined;
  readonly #elector: LeaderElector | undefined;
  readonly #cacheStop = new AbortController();
  readonly #electionStop = new AbortController();
  readonly #done = Promise.withResolvers<void>();
  #caches: Promise<unknown> = Promise.resolve();
  #election: Promise<void> = Promise.resolve();
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
    this.#identity = options.leaderElection?.identity ?? `${hostname()}_${randomUUID()}`;
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
    this.#elector = options.leaderElection ? this.#newElector(options.leaderElection) : undefined;
    this.leaderClient = this.#elector ? this.client.guardedBy(() => this.#insistOnLeading()) : this.client;
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
    this.#runnables.push(runnable);
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
      this.#runnables.push(controller);
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
    const known = this.#recorders.get(name);
    if (known) return known;
    const controller = `${this.#options.eventPrefix ?? "kopf-ts"}/${name}`;
    // The API takes at most 128 characters.
    const instance = this.#identity.slice(0, 128);
    const recorder = new Recorder({ client: this.client, controller, instance, logger: this.logger, clock: this.clock });
    this.#recorders.set(name, recorder);
    return recorder;
  }

  /** Whether controllers may run here, now: true without leader election. */
  get leads(): boolean {
    return this.#elector ? this.#elector.leads : true;
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
   * @throws Error if the caches are not complete within `cacheSyncTimeoutSeconds`, or a startup handler fails; the manager has stopped then.
   */
  async start(): Promise<void> {
    this.#healthPort = await this.#health?.start();
    this.metrics.measureLag(true);
    try {
      for (const plugin of this.#plugins) await plugin.begin(this);
      if (this.#stopping) return;
      this.#caches = this.#informers.run(this.#cacheStop.signal);
      await this.#sync();
    } catch (error) {
      await this.stop();
      throw error;
    }
    if (this.#stopping) return;
    this.#synced = true;
    for (const runnable of this.#runnables) if (!this.#elector || !runnable.needLeaderElection) runnable.start();
    if (this.#elector) this.#election = this.#elector.run(this.#electionStop.signal);
    this.logger.info("the manager has started", {
      controllers: this.#controllers.map(({ name }) => name),
      caches: this.#informers.all.length,
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
    const hasEnded = await this.#drain();
    for (const plugin of this.#plugins) await this.#end(plugin);
    const led = this.#elector?.leads;
    this.#electionStop.abort();
    await this.#election;
    if (led && hasEnded) await this.#elector?.release();
    else if (led) this.logger.error("something still runs, so the Lease is not released: another leads once it expires; end this process");
    await this.#flushEvents();
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

  /** Unsent events get a bounded time: a server that doesn't respond doesn't keep the manager from stopping. */
  async #flushEvents(): Promise<void> {
    const over = new AbortController();
    const flushed = Promise.all([...this.#recorders.values()].map((recorder) => recorder.flush())).then(() => over.abort());
    await Promise.race([flushed, sleep(this.clock, flushMilliseconds, over.signal)]);
  }

  async #drain(): Promise<boolean> {
    const over = new AbortController();
    const drained = Promise.allSettled(this.#runnables.map((runnable) => runnable.drain())).then((ends) => {
      for (const end of ends)
        if (end.status === "rejected") this.logger.error("something that ran could not be drained", { error: end.reason });
      over.abort();
    });
    const graceMilliseconds = (this.#options.gracePeriodSeconds ?? 30) * 1000;
    await Promise.race([drained, sleep(this.clock, graceMilliseconds, over.signal)]);
    if (!over.signal.aborted) this.logger.warn("some reconciles did not end within the grace period and are aborted");
    this.#abortRunnables(new Error("the manager stops"));
    await Promise.race([drained, sleep(this.clock, abortMilliseconds, over.signal)]);
    return over.signal.aborted;
  }

  #insistOnLeading(): void {
    if (!this.leads) throw new LeadershipLostError(this.#options.leaderElection?.name ?? "", "this was to be written after that");
  }

  async #sync(): Promise<void> {
    const over = new AbortController();
    this.#cacheStop.signal.addEventListener("abort", () => over.abort(), { once: true });
    const synced = Promise.all(this.#informers.all.map((informer) => informer.synced)).then(() => over.abort());
    const seconds = this.#options.cacheSyncTimeoutSeconds ?? 120;
    await Promise.race([synced, sleep(this.clock, seconds * 1000, over.signal)]);
    if (over.signal.aborted) return;
    const missing = this.#informers.all
      .filter((informer) => !informer.hasSynced)
      .map(({ resource, lastError }) => `${nameOf(resource)}${lastError ? ` (${lastError.message})` : ""}`);
    throw new Error(
      `these caches were not complete after ${seconds} s: ${missing.join(", ")}; check the RBAC rules and that the CRDs are installed`,
    );
  }

  #newElector(election: Partial<LeaderElectionOptions> & Pick<LeaderElectionOptions, "name">): LeaderElector {
    const namespace = election.namespace ?? this.client.transport.namespace;
    if (!namespace) throw new Error(`leader election needs the namespace of the Lease ${election.name}`);
    this.metrics.leader(election.name, false);
    return new LeaderElector({
      ...election,
      namespace,
      identity: this.#identity,
      client: this.client,
      logger: this.logger,
      clock: this.clock,
      onStarted: () => {
        this.metrics.leader(election.name, true);
        if (this.#stopping) return;
        for (const runnable of this.#runnables) if (runnable.needLeaderElection) runnable.start();
      },
      onLost: (error) => {
        this.metrics.leader(election.name, false);
        this.logger.error(error.message);
        this.#abortRunnables(error);
        this.#done.reject(error);
        void this.stop();
      },
    });
  }

  #newHealthServer(health: NonNullable<ManagerOptions["health"]>): HealthServer {
    const caches: Check = () => (this.#synced ? null : "the caches are not complete yet");
    const probes = () => Object.assign({}, ...this.#plugins.map((plugin) => plugin.probes)) as NonNullable<Plugin["probes"]>;
    const stragglers: Check = () => this.#stragglers.complaint();
    return new HealthServer({ ...health, ready: { caches, stragglers, ...health.ready }, probes, metrics: this.metrics });
  }

  #abortRunnables(reason: Error): void {
    for (const runnable of this.#runnables) runnable.abort(reason);
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
