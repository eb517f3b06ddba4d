import { setTimeout as sleep } from "node:timers/promises";

/** Time and randomness, injected so that tests don't wait. */
export type Clock = {
  /** milliseconds since the epoch */
  now(): number;
  /** rejects with the signal's reason if it aborts first */
  wait(milliseconds: number, signal?: AbortSignal): Promise<void>;
  /** in [0, 1) */
  random(): number;
};

export const systemClock: Clock = {
  now: () => Date.now(),
  wait: async (milliseconds, signal) => {
    signal?.throwIfAborted();
    await sleep(milliseconds, undefined, signal ? { signal } : undefined).catch((error) => {
      throw signal?.aborted ? signal.reason : error;
    });
  },
  random: () => Math.random(),
};
