import { createHash } from "node:crypto";
import { isNotFound } from "../api/api-error.ts";
import type { Client } from "../api/client.ts";
import { describe, type KubeObject } from "../api/object.ts";
import { events } from "../api/resource.ts";
import { type Clock, realClock } from "../core/clock.ts";
import { messageOf } from "../core/errors.ts";
import type { Logger } from "../core/logger.ts";
import { checkNumbers } from "../core/numbers.ts";
import { microTimestamp } from "./conditions.ts";
import type { EventInput } from "./outcome.ts";

/** Options of a stand-alone Recorder; `manager.recorder(name)` creates one with all of them set. */
export interface RecorderOptions {
  readonly client: Client;
  /** `reportingController`, such as `rune.dev/adapter`. */
  readonly controller: string;
  /** `reportingInstance`: the pod's name. */
  readonly instance: string;
  readonly logger: Logger;
  readonly clock?: Clock;
  /** Events waiting to be sent; more are dropped. Default 1,000. */
  readonly capacity?: number;
}

/** An event that waits to be sent, and how often it has happened since it waits. */
interface Waiting {
  readonly regarding: KubeObject;
  readonly input: EventInput;
  /** When it happened first, and last. */
  readonly at: Date;
  lastAt: Date;
  count: number;
}

interface Series {
  readonly namespace: string;
  readonly name: string;
  count: number;
  lastAt: number;
}

/** The same event again within this time is the same series (KEP-383 and kube-rs: six minutes). */
const seriesMilliseconds = 6 * 60_000;
const longestNote = 1024;
const longestReason = 128;

/**
 * Publishes events.k8s.io/v1 Events in the background, one after the other. Never throws and never blocks the caller;
 * failures are logged.
 */
export class Recorder {
  readonly #options: RecorderOptions;
  readonly #clock: Clock;
  readonly #series = new Map<string, Series>();
  /** By series. */
  readonly #queue = new Map<string, Waiting>();
  #sending: Promise<void> | undefined;
  #dropped = 0;

  constructor(options: RecorderOptions) {
    checkNumbers("Recorder", options, { capacity: "a count above zero" });
    this.#options = options;
    this.#clock = options.clock ?? realClock;
  }

  /** Events dropped because the queue was full. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Publishes an event about an object. One that repeats while it waits is only counted, so that a flood costs few requests. */
  event(regarding: KubeObject, input: EventInput): void {
    const id = seriesId(regarding, input);
    const waiting = this.#queue.get(id);
    // Snapshot the time: the event happened now, whenever it is sent.
    const at = this.#clock.now();
    if (waiting) {
      waiting.count += 1;
      waiting.lastAt = at;
    } else if (this.#queue.size >= (this.#options.capacity ?? 1_000)) {
      this.#dropped += 1;
    } else {
      this.#queue.set(id, { regarding, input, at, lastAt: at, count: 1 });
      this.#sending ??= this.#drain();
    }
  }

  /** Resolves once every event so far has been sent or has failed. */
  async flush(): Promise<void> {
    while (this.#sending) await this.#sending;
  }

  async #drain(): Promise<void> {
    for (const [id, waiting] of this.#queue) {
      this.#queue.delete(id);
      try {
        await this.#send(id, waiting);
      } catch (error) {
        this.#options.logger.warn("an event could not be published and is dropped", { error: messageOf(error) });
      }
    }
    this.#sending = undefined;
  }

  async #send(id: string, { regarding, input, at, lastAt, count }: Waiting): Promise<void> {
    const known = this.#current(id);
    if (known && (await this.#extend(known, count, lastAt))) return;
    const { metadata, ...event } = this.#manifest(regarding, input, at);
    await this.#options.client.create(events, { ...event, metadata });
    const series = { ...metadata, count: 1, lastAt: this.#clock.monotonic() };
    this.#series.set(id, series);
    if (count > 1) await this.#extend(series, count - 1, lastAt);
  }

  /** False if the series' Event no longer exists (they live for an hour) and a new one must be created. */
  async #extend(series: Series, more: number, at: Date): Promise<boolean> {
    const patch = { series: { count: series.count + more, lastObservedTime: microTimestamp(at) } };
    try {
      await this.#options.client.patch(events, series, patch);
    } catch (error) {
      if (isNotFound(error)) return false;
      throw error;
    }
    series.count += more;
    series.lastAt = this.#clock.monotonic();
    return true;
  }

  #current(id: string): Series | undefined {
    const oldest = this.#clock.monotonic() - seriesMilliseconds;
    for (const [other, { lastAt }] of this.#series) if (lastAt < oldest) this.#series.delete(other);
    return this.#series.get(id);
  }

  #manifest(regarding: KubeObject, input: EventInput, at: Date) {
    const { controller, instance } = this.#options;
    // The suffix keeps the name unique; 45 characters of the object's name keep it within the limits of an object's name.
    const suffix = createHash("sha256")
      .update(`${seriesId(regarding, input)}\0${at.getTime()}\0${instance}`)
      .digest("hex")
      .slice(0, 16);
    const namespace = regarding.metadata.namespace ?? "default";
    return {
      apiVersion: "events.k8s.io/v1",
      kind: "Event",
      metadata: { name: `${regarding.metadata.name.slice(0, 45).replace(/[-.]+$/, "")}.${suffix}`, namespace },
      eventTime: microTimestamp(at),
      type: input.type,
      reason: cut(input.reason, longestReason),
      action: cut(input.action ?? input.reason, longestReason),
      note: cut(input.note, longestNote),
      regarding: referenceTo(regarding),
      ...(input.related ? { related: referenceTo(input.related) } : {}),
      reportingController: controller,
      reportingInstance: instance,
    };
  }
}

/** The API server counts bytes. */
function cut(text: string, longest: number): string {
  if (Buffer.byteLength(text) <= longest) return text;
  return Buffer.from(text)
    .subarray(0, longest)
    .toString("utf8")
    .replace(/\uFFFD$/u, "");
}

function referenceTo({ apiVersion, kind, metadata }: KubeObject) {
  const { namespace, name, uid, resourceVersion } = metadata;
  return { apiVersion, kind, namespace, name, uid, resourceVersion };
}

function seriesId(regarding: KubeObject, { type, reason, note, action, related }: EventInput): string {
  return [regarding.metadata.uid ?? describe(regarding), type, reason, action ?? "", note, related?.metadata.uid ?? ""].join("\0");
}
