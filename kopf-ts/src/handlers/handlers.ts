import type { KubeObject } from "../api/object.ts";
import { nameOf, type Resource } from "../api/resource.ts";
import type { FieldPath } from "../api/written.ts";
import { sleep } from "../core/clock.ts";
import { checkNumbers } from "../core/numbers.ts";
import type { Manager, Plugin } from "../engine/manager.ts";
import { type Permission, patching, reading, type Verb } from "../engine/permission.ts";
import { attempt } from "./attempt.ts";
import { type ObjectView, View } from "./context.ts";
import {
  type Activity,
  type ActivityContext,
  type ActivityOptions,
  type ChangeKind,
  type DaemonOptions,
  type DeletionOptions,
  declare,
  type EventHandler,
  type Handler,
  type HandlerOptions,
  type Login,
  numberRules,
  type ResourceDeclarations,
  type TimerOptions,
} from "./declarations.ts";
import { type Filters, matches } from "./filters.ts";
import type { Index, IndexEntries } from "./indices.ts";
import { LiveIndex } from "./live-index.ts";
import { type HandlersOptions, ResourceHandlers } from "./resource-handlers.ts";

/** Activities have only their own time limit. */
const never = new AbortController().signal;

/** `on.create(widgets, handler)` or `on.create(widgets, { retries: 3 }, handler)`. */
export type Register<Options extends "change" | "delete" | "event"> = <T extends KubeObject>(
  resource: Resource<T>,
  ...rest: MaybeOptions<RegisterOptions<T>[Options], Options extends "event" ? EventHandler<T> : Handler<T>>
) => void;
/** What a registration takes between resource and function, by what it is about. */
export interface RegisterOptions<T extends KubeObject> {
  change: HandlerOptions<T>;
  delete: DeletionOptions<T>;
  event: Filters<T> & { readonly id?: string };
}
/** A function, or options and a function. */
export type MaybeOptions<Options, Run> = readonly [handler: Run] | readonly [options: Options, handler: Run];
/** `on.startup(handler)` or `on.startup({ retries: 3 }, handler)`. */
export type RegisterActivity = (...rest: MaybeOptions<ActivityOptions, (ctx: ActivityContext) => unknown | Promise<unknown>>) => void;

/**
 * Kopf's vocabulary, `manager.use(new Handlers())`: what to do when something happens to an object of a kind. It
 * compiles to controllers of the same level-triggered engine that runs reconcilers. Register before the start.
 *
 * Guarantees: handlers of changes of one object never run at the same time; each runs at least once for every state
 * that persists, and is not called again for a state that it has handled; an object with a mandatory delete handler or
 * a daemon is not deleted before these have ended.
 */
export class Handlers implements Plugin {
  readonly #options: HandlersOptions;
  readonly #resources = new Map<string, ResourceDeclarations<KubeObject>>();
  readonly #indices: Record<string, LiveIndex<KubeObject, unknown>> = {};
  readonly #indexing: ((manager: Manager) => void)[] = [];
  readonly #permitted: Permission[] = [];
  readonly #startups: Activity[] = [];
  readonly #cleanups: Activity[] = [];
  readonly #probes: Activity[] = [];
  readonly #logins: Login[] = [];
  #loggedIn = false;
  #manager: Manager | undefined;

  constructor(options: HandlersOptions = {}) {
    checkNumbers("handlers", options, {
      maxConcurrentReconciles: "a count above zero",
      passTimeoutSeconds: "a time above zero",
      consistencySeconds: "a time, zero or more",
    });
    this.#options = options;
  }

  readonly on = {
    /** Before anything else; a failure aborts the start. */
    startup: this.#activity("startup", () => this.#startups),
    /** After everything else; one that fails is logged. */
    cleanup: this.#activity("cleanup", () => this.#cleanups),
    /** Called for `/healthz`: its result is shown; one that throws counts as failed. */
    probe: this.#activity("probe", () => this.#probes),
    /** How to reach the server; the first result other than undefined counts. Only for an Operator without a client. */
    login: (login: Login): void => void this.#logins.push(login),
    create: this.#change("create") as Register<"change">,
    update: this.#change("update") as Register<"change">,
    /** For an object that existed when this process began to handle: once, and not for one that is being deleted. */
    resume: this.#change("resume") as Register<"change">,
    delete: this.#change("delete") as Register<"delete">,
    /**
     * When this field is present at the creation, or changes afterwards. `old`, `new` and `diff` are about the field.
     */
    field: <T extends KubeObject>(
      resource: Resource<T>,
      field: FieldPath<T>,
      ...rest: MaybeOptions<Omit<HandlerOptions<T>, "field">, Handler<T>>
    ): void => {
      const [options, run] = optionsAndHandler<HandlerOptions<T>, Handler<T>>(rest);
      this.#change("field")(resource, { ...options, field }, run);
    },
    /** For whatever the watch says, as it says it: in order, once, never repeated. */
    event: (<T extends KubeObject>(resource: Resource<T>, ...rest: MaybeOptions<RegisterOptions<T>["event"], EventHandler<T>>): void => {
      const [options, run] = optionsAndHandler<RegisterOptions<T>["event"], EventHandler<T>>(rest);
      const { events } = this.#of(resource);
      events.push(declare("event", resource, options, run as unknown as Handler<T>, events));
    }) as Register<"event">,
  };

  /**
   * Indexes what `entries` returns for each object, by key; it is complete before the first handler runs.
   * `ctx.indices[id]` is what this returns.
   *
   * @throws Error if an index of this id exists already.
   *
   * @example
   * ```ts
   * import { Operator, pods } from "kopf-ts";
   *
   * const operator = new Operator();
   * const podsByNode = operator.index("podsByNode", pods, ({ spec, name }) => ({ [spec.nodeName]: name }));
   * // In a handler: the names of the pods of a node.
   * const names: readonly string[] = podsByNode.get("node-1");
   * ```
   */
  index<T extends KubeObject, V>(
    id: string,
    resource: Resource<T>,
    ...rest: MaybeOptions<Filters<T>, (view: ObjectView<T>) => IndexEntries<V>>
  ): Index<V> {
    if (this.#indices[id]) throw new Error(`there is an index ${id} already`);
    const [options, entries] = optionsAndHandler<Filters<T>, (view: ObjectView<T>) => IndexEntries<V>>(rest);
    const index = new LiveIndex<T, V>(entries);
    this.#indices[id] = index as unknown as LiveIndex<KubeObject, unknown>;
    const view = (object: T): ObjectView<T> | undefined => {
      const seen = new View<T>({ read: () => object, reason: "index", memo: () => ({}), indices: this.#indices });
      return matches(options, seen) ? seen : undefined;
    };
    this.#permitted.push({ resource, verbs: reading });
    this.#indexing.push((manager) => manager.cache(resource).onChange((change) => index.follow(change, view)));
    return index;
  }

  /**
   * Repeatedly for each object, every `interval` seconds. Runs of one timer for one object never overlap.
   *
   * @throws RangeError without an interval, or for an invalid number.
   *
   * @example
   * ```ts
   * import { Operator, resource } from "kopf-ts";
   *
   * const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
   * const operator = new Operator();
   * operator.timer(widgets, { id: "probe", interval: 60, idle: 10 }, async ({ spec, signal }) => {
   *   const { status } = await fetch(spec.url, { signal });
   *   return { status };
   * });
   * ```
   */
  timer<T extends KubeObject>(resource: Resource<T>, options: TimerOptions<T>, run: Handler<T>): void {
    if (options.interval === undefined) throw new RangeError(`a timer of ${resource.kind} has no interval; give it one in seconds`);
    const { timers } = this.#of(resource);
    timers.push(declare("timer", resource, options, run, timers));
  }

  /**
   * Runs for each object as long as it exists and matches; it must end when `ctx.signal` aborts.
   *
   * @example
   * ```ts
   * import { Operator, resource, sleep } from "kopf-ts";
   *
   * const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
   * const operator = new Operator();
   * operator.daemon(widgets, { labels: { watched: true } }, async ({ body, signal, clock, logger }) => {
   *   while (!signal.aborted) {
   *     logger.info("still here", { name: body.metadata.name });
   *     await sleep(clock, 5_000, signal);
   *   }
   * });
   * ```
   */
  daemon<T extends KubeObject>(resource: Resource<T>, ...rest: MaybeOptions<DaemonOptions<T>, Handler<T>>): void {
    const [options, run] = optionsAndHandler<DaemonOptions<T>, Handler<T>>(rest);
    const { daemons } = this.#of(resource);
    daemons.push(declare("daemon", resource, options, run, daemons));
  }

  /** Says what handlers do beside filling in patches, with `ctx.client`. Nothing but `rbacOf` asks for it. */
  uses(resource: Resource, ...verbs: readonly Verb[]): this {
    this.#permitted.push({ resource, verbs });
    return this;
  }

  /** @internal What the handlers do in the cluster: they watch, and write what their patches, results and progress ask for. */
  declares(): readonly Permission[] {
    const resources = [...this.#resources.values()].map(({ resource }) => resource);
    return [
      ...resources.flatMap((resource): Permission[] => [
        { resource, verbs: [...reading, ...patching] },
        { resource, subresource: "status", verbs: [...patching, "update"] },
      ]),
      ...this.#permitted,
    ];
  }

  /** @internal The manager calls this as it starts: the startup handlers run, then the controllers are made. */
  async begin(manager: Manager): Promise<void> {
    this.#manager = manager;
    if (this.#logins.length > 0 && !this.#loggedIn) {
      manager.logger.warn("the login handlers are not asked: they are for an Operator that is given neither client nor kubeConfig");
    }
    for (const activity of this.#startups) await this.#perform(activity, manager);
    for (const attach of this.#indexing) attach(manager);
    for (const declarations of this.#resources.values()) new ResourceHandlers(declarations, manager, this.#indices, this.#options);
  }

  /** @internal The manager calls this last, while its client still works. */
  async end(manager: Manager): Promise<void> {
    if (!this.#manager) return;
    for (const activity of this.#cleanups) {
      await this.#perform(activity, manager).catch((error: unknown) => manager.logger.error(`cleanup ${activity.id} failed`, { error }));
    }
  }

  /** @internal */
  async login(): Promise<Awaited<ReturnType<Login>>> {
    this.#loggedIn = true;
    for (const login of this.#logins) {
      const credentials = await login();
      if (credentials) return credentials;
    }
    return undefined;
  }

  /** @internal For the probes: each one's result. */
  get probes(): Readonly<Record<string, () => unknown>> {
    const context = ({ client, logger }: Manager): ActivityContext => ({ client, logger, retry: 0 });
    const ask = (activity: Activity) => (): unknown => this.#manager && activity.run(context(this.#manager));
    return Object.fromEntries(this.#probes.map((activity) => [activity.id, ask(activity)]));
  }

  async #perform({ id, options, run }: Activity, { client, clock, logger }: Manager): Promise<void> {
    const started = clock.now();
    for (let retry = 0; ; retry += 1) {
      const attempted = await attempt({ errors: "permanent", ...options }, { started, retries: retry }, { clock, signal: never }, () =>
        run({ client, logger: logger.child({ handler: id }), retry }),
      );
      if (attempted.ended === "success") return;
      if (attempted.ended === "failure") throw attempted.error;
      logger.warn(`${id} failed and is tried again in ${attempted.again} s`, { error: attempted.error.message });
      await sleep(clock, attempted.again * 1000);
    }
  }

  #activity(kind: string, list: () => Activity[]): RegisterActivity {
    return (...rest) => {
      const [options, run] = optionsAndHandler<ActivityOptions, Activity["run"]>(rest);
      const id = options.id ?? (run.name || kind);
      if (list().some((other) => other.id === id))
        throw new Error(`there is a ${kind} handler ${id} already; give this one an id: { id: "…" }`);
      checkNumbers(`${kind} handler ${id}`, options, numberRules);
      list().push({ id, options, run });
    };
  }

  #change(kind: ChangeKind) {
    return <T extends KubeObject>(resource: Resource<T>, ...rest: MaybeOptions<DeletionOptions<T>, Handler<T>>): void => {
      const [options, run] = optionsAndHandler<DeletionOptions<T>, Handler<T>>(rest);
      const { changes } = this.#of(resource);
      // One function may be registered for several kinds: it is one handler then, called once for whatever happened.
      const others = changes.filter((other) => other.kind === kind || other.run !== run);
      changes.push({ ...declare(kind, resource, options, run, others), kind });
    };
  }

  #of<T extends KubeObject>(resource: Resource<T>): ResourceDeclarations<T> {
    if (this.#manager) throw new Error(`a handler for ${resource.kind} comes too late: register before the start`);
    const id = `${resource.version}/${nameOf(resource)}`;
    const known = this.#resources.get(id) as unknown as ResourceDeclarations<T> | undefined;
    if (known) return known;
    const declarations: ResourceDeclarations<T> = { resource, changes: [], events: [], timers: [], daemons: [] };
    this.#resources.set(id, declarations as unknown as ResourceDeclarations<KubeObject>);
    return declarations;
  }
}

function optionsAndHandler<Options, Run>(rest: readonly unknown[]): [Options, Run] {
  return (rest.length === 1 ? [{}, rest[0]] : [rest[0], rest[1]]) as [Options, Run];
}
