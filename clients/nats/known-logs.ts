import type { StoredLog } from "./log-records.ts";

/** Bytes of messages; parsed, they take a few times as much memory. */
const mostBytes = 8 * 1024 * 1024;

/**
 * Logs as they were last read, so that reading one again costs what was appended, and not what exists. Those not read
 * for the longest time go first; one that is larger than all may be isn't kept.
 */
export class KnownLogs {
  readonly #logs = new Map<string, StoredLog>();
  readonly #mostBytes: number;
  #bytes = 0;

  constructor(limit = mostBytes) {
    this.#mostBytes = limit;
  }

  get(subject: string): StoredLog | undefined {
    return this.#logs.get(subject);
  }

  set(subject: string, log: StoredLog): void {
    this.#remove(subject);
    this.#logs.set(subject, log);
    this.#bytes += log.bytes;
    for (const oldest of this.#logs.keys()) {
      if (this.#bytes <= this.#mostBytes) return;
      this.#remove(oldest);
    }
  }

  #remove(subject: string): void {
    this.#bytes -= this.#logs.get(subject)?.bytes ?? 0;
    this.#logs.delete(subject);
  }
}
