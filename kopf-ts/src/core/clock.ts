import { uptime } from "node:os";

/** Time as the framework sees it; tests replace it by a virtual clock. */
export interface Clock {
  /** Wall-clock time: for timestamps. */
  now(): Date;
  /** Milliseconds that never jump: for every duration and deadline. */
  monotonic(): number;
  /** Milliseconds since the machine started, including, unlike `monotonic`, the time that it slept. Costs more. */
  uptime?(): number;
  /** Calls `run` once, not before `milliseconds` have passed. The returned function cancels it. */
  schedule(milliseconds: number, run: () => void): () => void;
}

/** Node's timers wrap around above this; a longer wait is made of several. */
const longestTimerMilliseconds = 2 ** 31 - 1;

/** The clock of this machine. */
export const realClock: Clock = {
  now: () => new Date(),
  monotonic: () => performance.now(),
  uptime: () => uptime() * 1000,
  schedule(milliseconds, run) {
    let timer: NodeJS.Timeout;
    const arm = (left: number) => {
      const step = Math.min(left, longestTimerMilliseconds);
      timer = setTimeout(() => (left > step ? arm(left - step) : run()), step);
    };
    arm(Math.max(0, milliseconds));
    return () => clearTimeout(timer);
  },
};

/** Waits; an aborted signal ends the wait early. Never rejects: check the signal afterwards. */
export function sleep(clock: Clock, milliseconds: number, signal?: AbortSignal): Promise<void> {
  if (signal?.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const finish = () => {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.schedule(milliseconds, finish);
    signal?.addEventListener("abort", finish, { once: true });
  });
}
