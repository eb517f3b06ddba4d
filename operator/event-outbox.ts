import type { Clock } from "@rune/clients/clock";
import { retry, Transient } from "@rune/clients/http/retry";
import type { EventPublisher } from "@rune/controllers/shared/cloudevents";
import { type CloudEvent, publishedWithinSeconds } from "@rune/crds/contracts/cloudevents";
import type { Logger } from "kopf-ts";

/** A few megabytes of each. A forgotten id may be published again; the stream drops the duplicate. */
const mostWaiting = 10_000;
const mostKnown = 100_000;

export interface OutboxOptions {
  /** Rejects while NATS is unavailable. */
  readonly publish: (event: CloudEvent) => Promise<void>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Stops it. Events that still wait are published by the next operator. */
  readonly signal: AbortSignal;
}

/**
 * Events to be published on NATS, one after the other in the order in which they were decided. No caller waits for
 * them: while NATS is unavailable they stay here and are retried with growing pauses, each until it is a day old.
 */
export class EventOutbox implements EventPublisher {
  readonly #options: OutboxOptions;
  readonly #known = new Set<string>();
  readonly #waiting: CloudEvent[] = [];
  #sending = false;
  #isUnavailable = false;

  constructor(options: OutboxOptions) {
    this.#options = options;
  }

  hasAccepted(id: string): boolean {
    return this.#known.has(id);
  }

  /** An event is not accepted while the outbox is full: it is due again in the next pass over its object. */
  publish(event: CloudEvent): void {
    if (this.#known.has(event.id)) return;
    if (this.#waiting.length >= mostWaiting) {
      this.#options.logger.warn("too many events wait for NATS; this one is not taken now", { event: event.id });
      return;
    }
    this.#remember(event.id);
    this.#waiting.push(event);
    if (!this.#sending) void this.#send();
  }

  #remember(id: string): void {
    this.#known.add(id);
    const oldest = this.#known.values().next().value;
    if (this.#known.size > mostKnown && oldest !== undefined) this.#known.delete(oldest);
  }

  async #send(): Promise<void> {
    this.#sending = true;
    for (let event = this.#waiting[0]; event && !this.#options.signal.aborted; event = this.#waiting[0]) {
      await this.#deliver(event);
      this.#waiting.shift();
    }
    this.#sending = false;
  }

  /** Until it is stored, too old, or the operator ends. */
  async #deliver(event: CloudEvent): Promise<void> {
    const { publish, clock, logger, signal } = this.#options;
    const deadline = Date.parse(event.time) + publishedWithinSeconds * 1000;
    const policy = { attempts: Number.POSITIVE_INFINITY, firstWaitMilliseconds: 1_000, longestWaitMilliseconds: 30_000, deadline, signal };
    const once = async () => {
      try {
        await publish(event);
      } catch (cause) {
        this.#log(cause as Error);
        throw new Transient("NATS is unavailable", { cause });
      }
    };
    try {
      await retry(once, policy, clock);
      this.#log(undefined);
    } catch (error) {
      if (!signal.aborted) logger.warn("an event is a day old and was never stored; it is dropped", { event: event.id, error });
    }
  }

  /** Logs the beginning and the end of an outage. */
  #log(error: Error | undefined): void {
    const { logger } = this.#options;
    const isUnavailable = error !== undefined;
    if (isUnavailable === this.#isUnavailable) return;
    this.#isUnavailable = isUnavailable;
    if (error) logger.warn("events can't be published now; they wait", { error: error.message });
    else logger.info("events are published again", { waiting: this.#waiting.length - 1 });
  }
}
