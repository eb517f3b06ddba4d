import { inboxPrefix, type LogRecord, logConsumer, logRecord } from "@rune/crds/contracts/session-log";
import { type NatsConnection, NatsError } from "nats";
import { type Clock, systemClock } from "../clock.ts";
import { retry, Transient } from "../http/retry.ts";
import { canonicalJSON } from "../registry/digest.ts";
import { connectForever, NatsUnavailable } from "./connection.ts";
import { allRecords, LogCorrupt, readLog, type StoredLog, type StoredRecord } from "./log-records.ts";

export { NatsUnavailable } from "./connection.ts";
export { LogCorrupt } from "./log-records.ts";

/** Another writer uses this log, of a newer epoch or by mistake of the same one. Stop at once, with exit 75. */
export class Fenced extends Error {
  override readonly name = "Fenced";
}

export type LogOptions = {
  url: string;
  /** text of a `.creds` file */
  credentials: string;
  stream: string;
  subject: string;
  uid: string;
  /** aborts every pause */
  signal?: AbortSignal;
  /** when pauses end, in milliseconds since the epoch; then `NatsUnavailable` is thrown */
  deadline?: number;
  /** is called once if NATS isn't reached soon; it is still waited for */
  onWait?: (message: string) => void;
  clock?: Clock;
};

/** Milliseconds until a first connection is late. */
const patience = 10_000;

/** The log of one session or evaluation, with one writer. Calls run in order; each pauses while NATS is unavailable. */
export type SessionLog = {
  /** All records so far. Must be called before the first append. */
  read(): Promise<{ records: LogRecord[]; lastSequence: number }>;
  /**
   * Appends after the last record that this program has seen; idempotent. Resolves to the sequence. Throws `Fenced`.
   */
  append(record: LogRecord): Promise<number>;
  /** Publishes progress, without confirmation. */
  progress(subject: string, value: unknown): void;
  close(): Promise<void>;
};

/** Waits for NATS until the deadline or the signal. */
export async function connectLog(options: LogOptions): Promise<SessionLog> {
  const connection = await firstConnection(options);
  return new NatsSessionLog(connection, options);
}

async function firstConnection(options: LogOptions): Promise<NatsConnection> {
  const clock = options.clock ?? systemClock;
  const connecting = connectForever(options, { inboxPrefix: inboxPrefix(options.uid), name: options.subject });
  const over = new AbortController();
  const limits = [over.signal, ...(options.signal ? [options.signal] : [])];
  const remaining = options.deadline === undefined ? 2 ** 31 - 1 : Math.max(0, options.deadline - clock.now());
  const giveUp = clock.wait(Math.min(remaining, 2 ** 31 - 1), AbortSignal.any(limits)).then(() => {
    throw new NatsUnavailable(`NATS at ${options.url} could not be reached before the deadline`);
  });
  const late = clock.wait(patience, AbortSignal.any(limits)).then(() => options.onWait?.(unreached(options.url)));
  try {
    return await Promise.race([connecting, giveUp]);
  } catch (error) {
    connecting.then((connection) => connection.close()).catch(() => undefined);
    throw error;
  } finally {
    giveUp.catch(() => undefined);
    late.catch(() => undefined);
    over.abort();
  }
}

const unreached = (url: string) =>
  `NATS at ${url} isn't reached; waiting for it. It may be down, or a NetworkPolicy of this namespace forbids egress to it or to DNS`;

const wrongLastSequence = 10071;

class NatsSessionLog implements SessionLog {
  readonly #connection: NatsConnection;
  readonly #options: LogOptions;
  #lastSequence: number | undefined;
  #newestEpoch = 0;
  #queue: Promise<unknown> = Promise.resolve();

  constructor(connection: NatsConnection, options: LogOptions) {
    this.#connection = connection;
    this.#options = options;
  }

  read(): Promise<{ records: LogRecord[]; lastSequence: number }> {
    return this.#inOrder(async () => {
      const { state: records, lastSequence } = await this.#readBack();
      this.#lastSequence = lastSequence;
      this.#newestEpoch = records.at(-1)?.record.epoch ?? 0;
      return { records: records.map(({ record }) => record), lastSequence };
    });
  }

  append(record: LogRecord): Promise<number> {
    return this.#inOrder(async () => {
      const parsed = logRecord.parse(record);
      if (this.#lastSequence === undefined)
        throw new TypeError("read() must come before append(): only who knows the log may go on with it");
      // A program that started slowly may read what its successor has already written.
      if (parsed.epoch < this.#newestEpoch) throw fenced(this.#options.subject, parsed, `a record of epoch ${this.#newestEpoch}`);
      return await this.#appendAfter(parsed, this.#lastSequence);
    });
  }

  async #appendAfter(record: LogRecord, lastSequence: number): Promise<number> {
    const sequence = await this.#publish(record, lastSequence);
    if (sequence !== undefined) {
      this.#lastSequence = sequence;
      return sequence;
    }
    const settled = await this.#settle(record, lastSequence);
    this.#lastSequence = settled.lastSequence;
    return settled.stored ? settled.lastSequence : await this.#appendAfter(record, settled.lastSequence);
  }

  /** Runs concurrent calls one after another: every append needs the sequence of the previous one. */
  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work, work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  progress(subject: string, value: unknown): void {
    if (!this.#connection.isClosed()) this.#connection.publish(subject, canonicalJSON(value));
  }

  async close(): Promise<void> {
    if (!this.#connection.isClosed()) await this.#connection.drain().catch(() => this.#connection.close());
  }

  /** The sequence of the new record, or undefined if the log must be read to learn what happened. */
  async #publish(record: LogRecord, lastSequence: number): Promise<number | undefined> {
    const { subject, uid } = this.#options;
    const msgID = `${uid}/${record.n}/${record.type}`;
    return await this.#pausing(async () => {
      try {
        const stored = await this.#connection
          .jetstream({ timeout: 5_000 })
          .publish(subject, canonicalJSON(record), { msgID, expect: { lastSubjectSequence: lastSequence } });
        // A duplicate was already stored under this id, but possibly by another epoch.
        return stored.duplicate ? undefined : stored.seq;
      } catch (error) {
        if (error instanceof NatsError && error.api_error?.err_code === wrongLastSequence) return undefined;
        throw error;
      }
    });
  }

  /**
   * The records after the last known one decide: exactly this record means that an earlier try succeeded, and none,
   * though there are messages, that only those were in the way.
   */
  async #settle(record: LogRecord, lastSequence: number): Promise<{ stored: boolean; lastSequence: number }> {
    const log = await this.#readBack();
    const [first, ...more] = log.state.filter(({ sequence }) => sequence > lastSequence);
    if (!first && log.lastSequence > lastSequence) return { stored: false, lastSequence: log.lastSequence };
    if (first && more.length === 0 && isSame(first.record, record)) return { stored: true, lastSequence: log.lastSequence };
    const other = more.at(-1)?.record ?? first?.record;
    const who = other ? `a record of epoch ${other.epoch} (${other.type} ${other.n})` : "another record";
    throw fenced(this.#options.subject, record, who);
  }

  async #readBack(): Promise<StoredLog<readonly StoredRecord[]>> {
    const { stream, subject, uid } = this.#options;
    const source = { connection: this.#connection, stream, subject, name: logConsumer(uid) };
    return await this.#pausing(() => readLog(source, allRecords));
  }

  /** Retries until success, the deadline or the signal. Permanent errors are rethrown at once. */
  async #pausing<T>(attempt: () => Promise<T>): Promise<T> {
    const { clock = systemClock, deadline, signal } = this.#options;
    const policy = { attempts: Number.POSITIVE_INFINITY, firstWaitMilliseconds: 250, longestWaitMilliseconds: 10_000, deadline, signal };
    const once = async () => {
      try {
        return await attempt();
      } catch (error) {
        throw this.#connection.isClosed() || isPermanent(error) ? error : new Transient("NATS is unavailable", { cause: error });
      }
    };
    try {
      return await retry(once, policy, clock);
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      throw new NatsUnavailable(
        `NATS did not store or show ${this.#options.subject} before the deadline: ${(error.cause as Error).message}`,
        { cause: error.cause },
      );
    }
  }
}

/** Only a starting server may lack permissions for a while; the stream's refusals (too large, sealed) are permanent. */
function isPermanent(error: unknown): boolean {
  if (error instanceof LogCorrupt || error instanceof TypeError) return true;
  if (!(error instanceof NatsError)) return false;
  return error.code === "PERMISSIONS_VIOLATION" || error.code === "MAX_PAYLOAD_EXCEEDED";
}

function isSame(a: LogRecord, b: LogRecord): boolean {
  return a.n === b.n && a.epoch === b.epoch && a.type === b.type;
}

function fenced(subject: string, record: LogRecord, who: string): Fenced {
  return new Fenced(
    `${who} stands in ${subject} where epoch ${record.epoch} wanted to write ${record.type} ${record.n}; this program must stop`,
  );
}
