import { setTimeout as sleep } from "node:timers/promises";

/** Time and chance, handed in so that tests wait for nothing. */
export type Clock = {
  /** milliseconds since the epoch */
  now(): number;
  /** rejects with the signal's reason when it is aborted first */
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
