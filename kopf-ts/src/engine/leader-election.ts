import { isAlreadyExists, isConflict, isNotFound } from "../api/api-error.ts";
import type { Client } from "../api/client.ts";
import type { DynamicObject } from "../api/object.ts";
import { leases } from "../api/resource.ts";
import { type Clock, realClock, sleep } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { checkNumbers } from "../core/numbers.ts";
import { Stopwatch } from "../core/stopwatch.ts";
import { microTimestamp } from "../outcome/conditions.ts";

/** The Lease of a program of several replicas. It needs leaseDurationSeconds > renewDeadlineSeconds > retryPeriodSeconds. */
export interface LeaderElectionOptions {
  /** Name of the Lease. */
  readonly name: string;
  readonly namespace: string;
  /** Unique per process: the pod's name and something random. */
  readonly identity: string;
  /**
   * Others may take the Lease when it has not been renewed for this time. Whole seconds, as the API stores them.
   * Default 15.
   */
  readonly leaseDurationSeconds?: number;
  /** We give up leading when we could not renew for this time: before others may take it. Default 10. */
  readonly renewDeadlineSeconds?: number;
  /** Between two attempts. Default 2. */
  readonly retryPeriodSeconds?: number;
}

/** Options of a stand-alone LeaderElector; a Manager creates its own from LeaderElectionOptions. */
export interface LeaderElectorOptions extends LeaderElectionOptions {
  readonly client: Client;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** This process leads from now on. */
  readonly onStarted: () => void;
  /** Leadership is lost. Called before the Lease can expire: the callee must stop writing at once. */
  readonly onLost: (error: LeadershipLostError) => void;
}

/** The Lease could not be renewed in time, or another process has taken it. `manager.run()` rejects with it, and so does every write that needs leadership. */
export class LeadershipLostError extends Error {
  constructor(lease: string, how: string) {
    super(`the Lease ${lease} is lost (${how}); this process stops, so that only its holder reconciles`);
    this.name = "LeadershipLostError";
  }
}

type Holding = "ours" | "theirs" | "unknown";

interface LeaseSpec {
  holderIdentity?: string;
  leaseDurationSeconds?: number;
  acquireTime?: string;
  renewTime?: string;
  leaseTransitions?: number;
}

/**
 * Leadership by Lease, after client-go's leaderelection. Clocks of other machines are never trusted: a Lease counts as
 * expired when *this* process has seen it unchanged for its whole duration.
 */
export class LeaderElector {
  readonly #options: LeaderElectorOptions;
  readonly #clock: Clock;
  readonly #duration: number;
  readonly #deadline: number;
  readonly #retry: number;
  #observed: { resourceVersion: string; at: number } | undefined;
  /** Time since the last renewal was sent: the server may have executed it at once. */
  #renewed: Stopwatch;
  #leads = false;
  /** A request to take the Lease was sent and not refused, whatever became of its response. */
  #mayHold = false;

  constructor(options: LeaderElectorOptions) {
    this.#options = options;
    this.#clock = options.clock ?? realClock;
    this.#renewed = new Stopwatch(this.#clock);
    this.#duration = options.leaseDurationSeconds ?? 15;
    this.#deadline = options.renewDeadlineSeconds ?? 10;
    this.#retry = options.retryPeriodSeconds ?? 2;
    checkNumbers(`leader election by ${options.name}`, options, {
      leaseDurationSeconds: "a count above zero",
      renewDeadlineSeconds: "a time above zero",
      retryPeriodSeconds: "a time above zero",
    });
    if (!(this.#duration > this.#deadline && this.#deadline > this.#retry)) {
      throw new Error("leader election needs leaseDurationSeconds > renewDeadlineSeconds > retryPeriodSeconds");
    }
  }

  /**
   * Whether this process may act as the leader now: to be called right before anything begins. If the deadline has
   * passed unnoticed (the process was frozen, the machine slept), the loss is reported here and now.
   */
  get leads(): boolean {
    if (this.#leads && this.#isOverdue) this.#lose(`not renewed for ${this.#deadline} s`);
    return this.#leads;
  }

  /** Whether the Lease may have this process's name, so that others wait for it: also if it was stopped before it knew. */
  get mayHold(): boolean {
    return this.#mayHold;
  }

  /** Tries to become the leader, then to remain it, until the signal aborts or leadership is lost. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    while (!(await this.#acquire(signal))) {
      if (signal.aborted) return;
      await sleep(this.#clock, this.#retry * 1000, signal);
    }
    if (signal.aborted) return;
    this.#leads = true;
    this.#options.logger.info(`leading: this process holds the Lease ${this.#title}`);
    this.#options.onStarted();
    await this.#stay(signal);
    this.#leads = false;
  }

  /** Releases the Lease, so that others need not wait for it to expire. Only after the last write of a leader. */
  async release(): Promise<void> {
    const { client, logger, identity } = this.#options;
    try {
      const lease = await client.get(leases, this.#options, { signal: AbortSignal.timeout(2_000) });
      if (lease.spec?.holderIdentity !== identity) return;
      const spec: LeaseSpec = { ...lease.spec, holderIdentity: "", leaseDurationSeconds: 1, renewTime: microTimestamp(this.#clock.now()) };
      await client.replace(leases, { ...lease, spec }, { signal: AbortSignal.timeout(2_000) });
    } catch (error) {
      logger.warn(`the Lease ${this.#title} could not be released; another leads once it expires`, { error: messageOf(error) });
    }
  }

  /** A renewal that took longer than its own deadline doesn't count. */
  async #acquire(signal: AbortSignal): Promise<boolean> {
    if (signal.aborted) return false;
    this.#renewed.restart();
    return (await this.#attempt(signal)) === "ours" && !this.#isOverdue;
  }

  async #stay(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#clock, Math.max(0, Math.min(this.#retry * 1000, this.#left)), signal);
      if (signal.aborted || !this.leads) return;
      const sent = new Stopwatch(this.#clock);
      const found = await this.#attempt(signal, this.#left);
      if (found === "ours") this.#renewed = sent;
      if (signal.aborted || !this.leads) return;
      if (found === "theirs") return this.#lose("taken by another");
    }
  }

  #lose(how: string): void {
    this.#leads = false;
    this.#mayHold = false;
    this.#options.onLost(new LeadershipLostError(this.#title, how));
  }

  /** Milliseconds until the deadline. */
  get #left(): number {
    return this.#deadline * 1000 - this.#renewed.elapsedMilliseconds;
  }

  get #isOverdue(): boolean {
    return this.#left <= 0;
  }

  /**
   * The Lease's current holder. A request never takes longer than max(1 s, half the deadline), nor than the rest of it.
   */
  async #attempt(signal: AbortSignal, left = Number.POSITIVE_INFINITY): Promise<Holding> {
    const limit = new AbortController();
    const late = Promise.withResolvers<never>();
    const abort = () => {
      const error = new Error("the request took too long");
      limit.abort(error);
      late.reject(error);
    };
    const cancel = this.#clock.schedule(Math.min(left, Math.max(1_000, (this.#deadline * 1000) / 2)), abort);
    signal.addEventListener("abort", abort, { once: true });
    try {
      const holding = this.#acquireOrRenew(limit.signal);
      holding.catch(() => undefined);
      // Loading credentials does not react to the signal.
      return await Promise.race([holding, late.promise]);
    } catch (error) {
      const refused = isConflict(error) || isAlreadyExists(error);
      if (refused && !this.#leads) this.#mayHold = false;
      if (!refused && !signal.aborted)
        this.#options.logger.warn(`the Lease ${this.#title} could not be reached`, { error: messageOf(error) });
      return "unknown";
    } finally {
      cancel();
      signal.removeEventListener("abort", abort);
    }
  }

  async #acquireOrRenew(signal: AbortSignal): Promise<Holding> {
    const { client, name, namespace, identity } = this.#options;
    const now = microTimestamp(this.#clock.now());
    const ours = { holderIdentity: identity, leaseDurationSeconds: this.#duration, renewTime: now };
    let lease: DynamicObject;
    try {
      lease = await client.get(leases, { namespace, name }, { signal });
    } catch (error) {
      if (!isNotFound(error)) throw error;
      const spec: LeaseSpec = { ...ours, acquireTime: now, leaseTransitions: 0 };
      const created = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { namespace, name }, spec };
      this.#mayHold = true;
      await client.create(leases, created, { signal });
      return "ours";
    }
    const old = (lease.spec ?? {}) as LeaseSpec;
    if (old.holderIdentity === identity) {
      this.#mayHold = true;
      await client.replace(leases, { ...lease, spec: { ...old, ...ours } }, { signal });
      return "ours";
    }
    if (!this.#isFree(lease)) return "theirs";
    const spec: LeaseSpec = { ...old, ...ours, acquireTime: now, leaseTransitions: (old.leaseTransitions ?? 0) + 1 };
    this.#mayHold = true;
    await client.replace(leases, { ...lease, spec }, { signal });
    return "ours";
  }

  #isFree(lease: DynamicObject): boolean {
    const { holderIdentity, leaseDurationSeconds = this.#duration } = (lease.spec ?? {}) as LeaseSpec;
    const resourceVersion = lease.metadata.resourceVersion ?? "";
    const now = this.#clock.monotonic();
    if (this.#observed?.resourceVersion !== resourceVersion) this.#observed = { resourceVersion, at: now };
    return !holderIdentity || now - this.#observed.at > Math.max(leaseDurationSeconds, this.#duration) * 1000;
  }

  get #title(): string {
    return `${this.#options.namespace}/${this.#options.name}`;
  }
}
