/**
 * Logs as they were last read, so that reading one again costs what was appended, and not what exists. Those not read
 * for the longest time go first; one that is larger than all may be isn't kept.
 */
export class KnownLogs<Log> {
  readonly #logs = new Map<string, Log>();
  readonly #limit: number;
  readonly #sizeOf: (log: Log) => number;
  #size = 0;

  constructor(limit: number, sizeOf: (log: Log) => number) {
    this.#limit = limit;
    this.#sizeOf = sizeOf;
  }

  get(subject: string): Log | undefined {
    return this.#logs.get(subject);
  }

  set(subject: string, log: Log): void {
    this.#remove(subject);
    if (this.#sizeOf(log) > this.#limit) return;
    this.#logs.set(subject, log);
    this.#size += this.#sizeOf(log);
    for (const oldest of this.#logs.keys()) {
      if (this.#size <= this.#limit) return;
      this.#remove(oldest);
    }
  }

  #remove(subject: string): void {
    const log = this.#logs.get(subject);
    if (log === undefined) return;
    this.#size -= this.#sizeOf(log);
    this.#logs.delete(subject);
  }
}
