/** One run of a reconciler; times in microseconds of the machine's monotonic clock. */
export interface Run {
  readonly key: string;
  readonly process: number;
  readonly from: number;
  readonly to: number;
}

/** Which key ran when, in which process. */
export class Runs {
  readonly #ended: Run[] = [];
  readonly #open = new Map<string, { key: string; process: number; from: number }[]>();

  started(process: number, key: string, from: number): void {
    const open = this.#open.get(key) ?? [];
    open.push({ key, process, from });
    this.#open.set(key, open);
  }

  ended(process: number, key: string, to: number): void {
    const open = this.#open.get(key) ?? [];
    const index = open.findIndex((run) => run.process === process);
    const [run] = index < 0 ? [] : open.splice(index, 1);
    if (run) this.#ended.push({ ...run, to });
  }

  /** A process has died, and with it all its runs. */
  died(process: number, at: number): void {
    for (const [key, open] of this.#open) {
      this.#open.set(
        key,
        open.filter((run) => run.process !== process),
      );
      for (const run of open) if (run.process === process) this.#ended.push({ ...run, to: at });
    }
  }

  get count(): number {
    return this.#ended.length;
  }

  /** Pairs of runs of one key that overlapped in time, in one process or in two. */
  concurrent(): (readonly [Run, Run])[] {
    const byKey = Map.groupBy(this.#ended, ({ key }) => key);
    const found: (readonly [Run, Run])[] = [];
    for (const runs of byKey.values()) {
      runs.sort((a, b) => a.from - b.from);
      let latest: Run | undefined;
      for (const run of runs) {
        if (latest && run.from < latest.to) found.push([latest, run]);
        if (!latest || run.to > latest.to) latest = run;
      }
    }
    return found;
  }
}
