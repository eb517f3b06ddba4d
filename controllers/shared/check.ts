import { type Outcome, stalled, waiting } from "kopf-ts";

/** A fact in words that keeps an object from going on: what it is called, and the sentence a person reads. */
export interface Blocker {
  readonly reason: string;
  readonly message: string;
  /** Seconds until it is worth looking again by itself; without it a person must act. */
  readonly retrySeconds?: number;
}

/** A look at one thing: null when it is fine. Checks are pure. */
export type Check<World> = (world: World) => Blocker | null;

/** The first blocker, in the order of the checks. */
export function firstOf<World>(checks: readonly Check<World>[], world: World): Blocker | null {
  for (const check of checks) {
    const blocker = check(world);
    if (blocker) return blocker;
  }
  return null;
}

/** The outcome of being blocked: waiting where looking again can help, stalled where it can't. */
export function blocked({ reason, message, retrySeconds }: Blocker, status?: object): Outcome {
  return retrySeconds === undefined ? stalled(reason, message, status) : waiting(reason, message, retrySeconds, status);
}

/** Nothing tells us of a registry that was repaired, or that something was pushed: what is stalled is looked at again this often. */
export const repairSeconds = 300;
