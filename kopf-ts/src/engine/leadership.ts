import type { Client } from "../api/client.ts";
import type { Clock } from "../core/clock.ts";
import type { Logger } from "../core/logger.ts";
import { type LeaderElectionOptions, LeaderElector, LeadershipLostError } from "./leader-election.ts";
import type { Metrics } from "./metrics.ts";

interface LeadershipOptions {
  /** Undefined: no Lease, and every process leads. The namespace is that of the client's credentials if none is given. */
  readonly election: (Partial<LeaderElectionOptions> & Pick<LeaderElectionOptions, "name">) | undefined;
  readonly identity: string;
  readonly client: Client;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  /** This process leads from now on. Not called without election. */
  readonly onAcquired: () => void;
  /** It no longer does: writing must stop at once. */
  readonly onLost: (error: LeadershipLostError) => void;
}

/**
 * Whether this process leads: the holder of the Lease does, and without leader election every process.
 *
 * @throws Error from the constructor if there is no namespace for the Lease.
 */
export class Leadership {
  /** The client for work that needs leadership: once this process no longer leads, a write is refused right before it would be sent. */
  readonly client: Client;
  readonly #elector: LeaderElector | undefined;
  readonly #logger: Logger;
  readonly #stop = new AbortController();
  #election: Promise<void> = Promise.resolve();

  constructor(options: LeadershipOptions) {
    const { election, client, logger } = options;
    this.#logger = logger;
    this.#elector = election ? newElector(election, options) : undefined;
    this.client = election ? client.guardedBy(() => this.#insist(election.name)) : client;
  }

  get leads(): boolean {
    return this.#elector ? this.#elector.leads : true;
  }

  /** Begins to wait for the Lease. */
  start(): void {
    if (this.#elector) this.#election = this.#elector.run(this.#stop.signal);
  }

  /** Ends the election, and releases the Lease if all work has ended: only then may another process lead at once. */
  async stop(hasEnded: boolean): Promise<void> {
    this.#stop.abort();
    await this.#election;
    if (!this.#elector?.mayHold) return;
    if (hasEnded) await this.#elector.release();
    else this.#logger.error("something still runs, so the Lease is not released: another leads once it expires; end this process");
  }

  #insist(lease: string): void {
    if (!this.leads) throw new LeadershipLostError(lease, "this was to be written after that");
  }
}

function newElector(election: NonNullable<LeadershipOptions["election"]>, options: LeadershipOptions): LeaderElector {
  const { identity, client, clock, logger, metrics, onAcquired, onLost } = options;
  const namespace = election.namespace ?? client.transport.namespace;
  if (!namespace) throw new Error(`leader election needs the namespace of the Lease ${election.name}`);
  metrics.leader(election.name, false);
  return new LeaderElector({
    ...election,
    namespace,
    identity,
    client,
    logger,
    clock,
    onStarted: () => {
      metrics.leader(election.name, true);
      onAcquired();
    },
    onLost: (error) => {
      metrics.leader(election.name, false);
      logger.error(error.message);
      onLost(error);
    },
  });
}
