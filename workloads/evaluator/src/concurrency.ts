/**
 * Runs `work` for each item, at most `size` at once, started in order. After the first failure no more are started; it
 * is thrown once the running ones have ended.
 */
export async function forEachLimited<T>(items: readonly T[], size: number, work: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  let failed = false;
  const worker = async () => {
    for (const item of queue) {
      if (failed) return;
      try {
        await work(item);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const ends = await Promise.allSettled(Array.from({ length: Math.min(size, items.length) }, worker));
  const failure = ends.find((end) => end.status === "rejected");
  if (failure) throw failure.reason;
}

/** Runs at most `places` passes at once; the others wait in order. */
export function limiter(places: number): <T>(pass: () => Promise<T>) => Promise<T> {
  let free = places;
  const waiting: (() => void)[] = [];
  return async (pass) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await pass();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else free += 1;
    }
  };
}
