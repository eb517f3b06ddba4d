import { type ApiError, isConflict, isForbidden, isNotFound } from "../api/api-error.ts";
import type { Client } from "../api/client.ts";
import { describe, type KubeObject } from "../api/object.ts";
import type { Resource } from "../api/resource.ts";
import type { Clock } from "../core/clock.ts";
import type { ConditionInput } from "./conditions.ts";
import type { Outcome } from "./outcome.ts";
import { contradictsEnding, nextStatus } from "./status.ts";
import type { WriteContext } from "./write-context.ts";

export interface StatusWriterOptions {
  readonly client: Client;
  readonly resource: Resource;
  readonly fieldManager: string;
  readonly clock: Clock;
}

/** Writes the status that an Outcome describes. */
export class StatusWriter {
  readonly #options: StatusWriterOptions;

  constructor(options: StatusWriterOptions) {
    this.#options = options;
  }

  /**
   * The object with its new status, or as it is if that would change nothing or revert an ending.
   * `until`: the outcome's claim is held back; this condition, which says why, takes its place.
   */
  async write(
    object: KubeObject,
    outcome: Outcome,
    { logger, signal }: Pick<WriteContext, "logger" | "signal">,
    until?: ConditionInput,
  ): Promise<KubeObject | "conflict" | "gone"> {
    if (contradictsEnding(object, outcome)) {
      if (!object.metadata.deletionTimestamp && !until) {
        logger.warn(`${describe(object)} has ended; the outcome ${outcome.kind} would take that back, so its status stays`, {
          reason: outcome.reason,
        });
      }
      return object;
    }
    const now = this.#options.clock.now();
    const whole = nextStatus(object, outcome, now);
    const status = whole && until ? nextStatus(object, outcome, now, until) : whole;
    if (!status) return object;
    const { client, resource, fieldManager } = this.#options;
    try {
      return await client.status.replace(resource, { ...object, status }, { fieldManager, signal });
    } catch (error) {
      if (isConflict(error)) return "conflict";
      if (isNotFound(error)) return await this.#afterMissing(object, error, signal);
      throw error;
    }
  }

  /**
   * The server returns 404 for the status of an object that is gone, and for every status of a kind while its
   * definition is new (kubernetes/kubernetes#115241): there the object still exists, and the error is thrown for
   * another try. Where the program may not read the object, the next pass decides.
   */
  async #afterMissing(object: KubeObject, error: ApiError, signal: AbortSignal): Promise<"conflict" | "gone"> {
    try {
      const live = await this.#options.client.find(this.#options.resource, object.metadata, { signal });
      if (live?.metadata.uid !== object.metadata.uid) return "gone";
    } catch (problem) {
      if (isForbidden(problem)) return "conflict";
      throw problem;
    }
    throw error;
  }
}
