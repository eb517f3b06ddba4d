import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { nameOf, type Resource } from "../api/resource.ts";
import type { Exchange } from "../api/transport.ts";
import type { ReflectorObserver } from "../cache/reflector.ts";
import { EventLoopLag } from "./event-loop-lag.ts";
import type { QueueObserver, WorkQueue } from "./queue.ts";

/** How a pass ended, as `controller_runtime_reconcile_total` counts it. */
export type ReconcileResult = "success" | "error" | "requeue" | "requeue_after";

const reconcileBuckets = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.25, 1.5, 1.75, 2.0, 2.5, 3.0, 3.5,
  4.0, 4.5, 5, 6, 7, 8, 9, 10, 15, 20, 25, 30, 40, 50, 60,
];
const queueBuckets = [1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 10, 100, 1000];
const requestBuckets = [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];

/** A count that is kept elsewhere and read at each scrape; several counts of one name are summed. */
type Counts = Map<string, (() => number)[]>;

function addTo(counts: Counts, name: string, count: () => number): void {
  counts.set(name, [...(counts.get(name) ?? []), count]);
}

function summing<L extends string>(label: L, counts: Counts): (this: Gauge<L>) => void {
  return function () {
    for (const [name, all] of counts)
      this.set(
        { [label]: name } as Record<L, string>,
        all.reduce((sum, count) => sum + count(), 0),
      );
  };
}

/**
 * controller-runtime's metrics under controller-runtime's names (pkg/internal/controller/metrics, pkg/metrics), so that
 * its dashboards work; and a few additional ones, `kopf_…`.
 */
export class Metrics {
  readonly registry: Registry;
  readonly #reconciles: Counter<"controller" | "result">;
  readonly #errors: Counter<"controller">;
  readonly #terminalErrors: Counter<"controller">;
  readonly #panics: Counter<"controller">;
  readonly #timeouts: Counter<"controller">;
  readonly #seconds: Histogram<"controller">;
  readonly #maxConcurrent: Gauge<"controller">;
  readonly #active: Gauge<"controller">;
  readonly #depth: Gauge<"name" | "controller">;
  readonly #adds: Counter<"name" | "controller">;
  readonly #queueSeconds: Histogram<"name" | "controller">;
  readonly #workSeconds: Histogram<"name" | "controller">;
  readonly #retries: Counter<"name" | "controller">;
  readonly #requests: Counter<"code" | "method" | "host">;
  readonly #requestSeconds: Histogram<"verb" | "host">;
  readonly #leader: Gauge<"name">;
  readonly #relists: Counter<"resource">;
  readonly #watches: Counter<"resource">;
  readonly #queues = new Map<string, WorkQueue>();
  readonly #stragglers: Counts = new Map();
  readonly #invalid: Counts = new Map();
  readonly #lag = new EventLoopLag();
  readonly #caches: Counts = new Map();

  constructor(registry: Registry = new Registry()) {
    this.registry = registry;
    const common = { registers: [registry] };
    const counter = <L extends string>(name: string, help: string, labelNames: L[]) =>
      new Counter<L>({ name, help, labelNames, ...common });
    const gauge = <L extends string>(name: string, help: string, labelNames: L[], collect?: (this: Gauge<L>) => void) =>
      new Gauge<L>({ name, help, labelNames, ...common, ...(collect ? { collect } : {}) });
    const histogram = <L extends string>(name: string, help: string, labelNames: L[], buckets: number[]) =>
      new Histogram<L>({ name, help, labelNames, buckets, ...common });

    this.#reconciles = counter("controller_runtime_reconcile_total", "Reconciles, by result.", ["controller", "result"]);
    this.#errors = counter("controller_runtime_reconcile_errors_total", "Reconciles that failed.", ["controller"]);
    this.#terminalErrors = counter("controller_runtime_terminal_reconcile_errors_total", "Reconciles that failed permanently.", [
      "controller",
    ]);
    this.#panics = counter("controller_runtime_reconcile_panics_total", "Reconcilers that threw something other than an Error.", [
      "controller",
    ]);
    this.#timeouts = counter("controller_runtime_reconcile_timeouts_total", "Reconciles that took too long.", ["controller"]);
    this.#seconds = histogram("controller_runtime_reconcile_time_seconds", "Time of a reconcile.", ["controller"], reconcileBuckets);
    this.#maxConcurrent = gauge("controller_runtime_max_concurrent_reconciles", "Workers of a controller.", ["controller"]);
    this.#active = gauge("controller_runtime_active_workers", "Workers that are busy.", ["controller"]);
    const labels: ("name" | "controller")[] = ["name", "controller"];
    this.#depth = gauge("workqueue_depth", "Keys that are ready and wait for a worker.", labels, () => this.#readDepths());
    this.#adds = counter("workqueue_adds_total", "Keys added.", labels);
    this.#queueSeconds = histogram("workqueue_queue_duration_seconds", "How long a ready key waits for a worker.", labels, queueBuckets);
    this.#workSeconds = histogram("workqueue_work_duration_seconds", "How long the reconcile of a key takes.", labels, queueBuckets);
    this.#retries = counter("workqueue_retries_total", "Keys that are retried.", labels);
    const running = this.#readRunning;
    gauge("workqueue_unfinished_work_seconds", "Seconds that all work in progress has taken.", labels, function () {
      running((name, seconds) =>
        this.set(
          { name, controller: name },
          seconds.reduce((sum, one) => sum + one, 0),
        ),
      );
    });
    gauge("workqueue_longest_running_processor_seconds", "Seconds that the longest work in progress has taken.", labels, function () {
      running((name, seconds) => this.set({ name, controller: name }, Math.max(0, ...seconds)));
    });
    this.#requests = counter("rest_client_requests_total", "Requests to the API server.", ["code", "method", "host"]);
    this.#requestSeconds = histogram(
      "rest_client_request_duration_seconds",
      "Time until the response is complete; for a watch, until its headers arrive.",
      ["verb", "host"],
      requestBuckets,
    );
    this.#leader = gauge("leader_election_master_status", "1 while this process leads.", ["name"]);
    gauge("kopf_cache_objects", "Objects in a cache.", ["resource"], summing("resource", this.#caches));
    gauge(
      "kopf_cache_invalid_objects",
      "Objects that do not match the schema of their resource.",
      ["resource"],
      summing("resource", this.#invalid),
    );
    gauge(
      "kopf_stragglers",
      "Passes and handlers that were aborted but still run.",
      ["controller"],
      summing("controller", this.#stragglers),
    );
    const lag = this.#lag;
    gauge("kopf_event_loop_lag_seconds", "How late timers ran within the last one to two minutes.", ["quantile"], function () {
      for (const [quantile, seconds] of Object.entries(lag.read())) this.set({ quantile }, seconds);
    });
    this.#relists = counter("kopf_cache_lists_total", "Full lists fetched for a cache.", ["resource"]);
    this.#watches = counter("kopf_cache_watches_total", "Watches opened for a cache.", ["resource"]);
  }

  /** Whether `kopf_event_loop_lag_seconds` is measured. */
  measureLag(on: boolean): void {
    this.#lag.measure(on);
  }

  /** The Prometheus text. */
  text(): Promise<string> {
    return this.registry.metrics();
  }

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Metrics of one controller. */
  controller(name: string, workers: number) {
    this.#maxConcurrent.set({ controller: name }, workers);
    const [active, seconds, errors] = [this.#active.labels(name), this.#seconds.labels(name), this.#errors.labels(name)];
    active.set(0);
    for (const counter of [this.#errors, this.#terminalErrors, this.#panics, this.#timeouts]) counter.labels(name).inc(0);
    for (const result of ["success", "error", "requeue", "requeue_after"] as const) this.#reconciles.labels(name, result).inc(0);
    return {
      /** A pass has begun. */
      started: () => active.inc(),
      /** A pass has ended, after this number of seconds. */
      ended: (result: ReconcileResult, took: number) => {
        active.dec();
        seconds.observe(took);
        this.#reconciles.labels(name, result).inc();
        if (result === "error") errors.inc();
      },
      /** It failed permanently. */
      terminalError: () => this.#terminalErrors.labels(name).inc(),
      /** It threw something other than an Error. */
      panicked: () => this.#panics.labels(name).inc(),
      /** It took too long. */
      timedOut: () => this.#timeouts.labels(name).inc(),
    };
  }

  /** Metrics of one queue. */
  queue(name: string): QueueObserver {
    const [adds, waits, works, retries] = [
      this.#adds.labels(name, name),
      this.#queueSeconds.labels(name, name),
      this.#workSeconds.labels(name, name),
      this.#retries.labels(name, name),
    ];
    return {
      added: () => adds.inc(),
      taken: (waited) => waits.observe(waited),
      finished: (worked) => works.observe(worked),
      retried: () => retries.inc(),
    };
  }

  /** Lets scrapes read a queue's depth and its running work. */
  watchQueue(name: string, queue: WorkQueue): void {
    this.#queues.set(name, queue);
  }

  /** Lets scrapes read the number of a controller's aborted passes that still run. */
  watchStragglers(name: string, count: () => number): void {
    addTo(this.#stragglers, name, count);
  }

  /** Metrics of one cache. `size` and `invalid` are read at each scrape. */
  cache(resource: Resource, size: () => number, invalid: () => number): ReflectorObserver {
    const name = nameOf(resource);
    addTo(this.#caches, name, size);
    addTo(this.#invalid, name, invalid);
    return { listed: () => this.#relists.labels(name).inc(), watchOpened: () => this.#watches.labels(name).inc() };
  }

  /** Counts a request to the API server. */
  exchange = ({ method, host, code, seconds }: Exchange): void => {
    this.#requests.labels(code, method, host).inc();
    this.#requestSeconds.labels(method, host).observe(seconds);
  };

  /** Records whether this process holds the Lease. */
  leader(lease: string, leads: boolean): void {
    this.#leader.set({ name: lease }, leads ? 1 : 0);
  }

  #readDepths(): void {
    for (const [name, queue] of this.#queues) this.#depth.set({ name, controller: name }, queue.readyLength);
  }

  readonly #readRunning = (set: (name: string, seconds: number[]) => void): void => {
    for (const [name, queue] of this.#queues) set(name, queue.runningSeconds());
  };
}
