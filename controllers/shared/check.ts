import { type Outcome, stalled, waiting } from "kopf-ts";

/** What prevents an object from progressing: a reason, and a message for people. */
export interface Blocker {
  readonly reason: string;
  readonly message: string;
  /** Seconds until a retry may succeed; without it a person must act. */
  readonly retrySeconds?: number;
}

/** Checks one thing: null if it is fine. Checks are pure. */
export type Check<World> = (world: World) => Blocker | null;

/** The first blocker, in the order of the checks. */
export function firstOf<World>(checks: readonly Check<World>[], world: World): Blocker | null {
  for (const check of checks) {
    const blocker = check(world);
    if (blocker) return blocker;
  }
  return null;
}

/** The outcome for a blocker: waiting where a retry can help, stalled where it can't. */
export function blocked({ reason, message, retrySeconds }: Blocker, status?: object): Outcome {
  return retrySeconds === undefined ? stalled(reason, message, status) : waiting(reason, message, retrySeconds, status);
}

/** Interval between retries of a stalled object, because a repaired registry or a push causes no event. */
export const repairSeconds = 300;
