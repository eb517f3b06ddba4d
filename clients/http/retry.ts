import type { Clock } from "../clock.ts";

/** An error after which a retry may succeed: the network failed, or a server is overloaded or restarting. */
export class Transient extends Error {
  readonly retryAfterMilliseconds: number | undefined;
  readonly status: number | undefined;
  constructor(message: string, options: { cause?: unknown; retryAfterMilliseconds?: number; status?: number } = {}) {
    super(message, { cause: options.cause });
    this.name = "Transient";
    this.retryAfterMilliseconds = options.retryAfterMilliseconds;
    this.status = options.status;
  }
}

export type RetryPolicy = {
  attempts: number;
  /** the wait after attempt n is a random part of this times 2ⁿ⁻¹, at most the longest */
  firstWaitMilliseconds: number;
  longestWaitMilliseconds: number;
  signal?: AbortSignal;
  /** no attempt starts, and no wait ends, after this time (milliseconds since the epoch) */
  deadline?: number;
};

/**
 * Repeats `attempt` while it throws `Transient`, waiting as long as the server requested (bounded) or with full jitter.
 * Throws the last `Transient` when no attempts or time are left; other errors are rethrown at once.
 */
export async function retry<T>(attempt: (number: number) => Promise<T>, policy: RetryPolicy, clock: Clock): Promise<T> {
  for (let number = 1; ; number++) {
    policy.signal?.throwIfAborted();
    try {
      return await attempt(number);
    } catch (error) {
      if (!(error instanceof Transient) || number >= policy.attempts) throw error;
      const wait = waitBefore(number, error, policy, clock);
      if (policy.deadline !== undefined && clock.now() + wait > policy.deadline) throw error;
      await clock.wait(wait, policy.signal);
    }
  }
}

function waitBefore(number: number, error: Transient, policy: RetryPolicy, clock: Clock): number {
  const longest = policy.longestWaitMilliseconds;
  if (error.retryAfterMilliseconds !== undefined) return Math.min(error.retryAfterMilliseconds + clock.random() * 250, longest);
  return clock.random() * Math.min(policy.firstWaitMilliseconds * 2 ** (number - 1), longest);
}

/** Converts a `Retry-After` header (seconds or an HTTP date) to milliseconds. */
export function retryAfter(header: string | string[] | undefined, now: number): number | undefined {
  const value = Array.isArray(header) ? header[0] : header;
  if (!value) return undefined;
  if (/^\d+$/.test(value.trim())) return Number(value) * 1000;
  const date = Date.parse(value);
  return Number.isNaN(date) ? undefined : Math.max(0, date - now);
}
