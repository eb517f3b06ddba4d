import { randomUUID } from "node:crypto";
import type { CloudEvent } from "@rune/crds/contracts/cloudevents";
import { type LogRecord, logStream } from "@rune/crds/contracts/session-log";
import { type Progress, progress } from "@rune/crds/contracts/trainer";
import { nanos } from "nats";
import { parseJSON } from "../http/json.ts";
import { connectForever, type NatsEndpoint, NatsUnavailable } from "./connection.ts";
import { type EventLimits, type EventSubscriber, eventStreamOf, keepSubscribers, storeEvent } from "./events.ts";
import { KnownLogs } from "./known-logs.ts";
import { allRecords, type Fold, readLog, type StoredLog, type StoredRecord } from "./log-records.ts";
import { ensureStream } from "./stream.ts";

export { NatsUnavailable } from "./connection.ts";
export type { EventSubscriber } from "./events.ts";
export type { Fold } from "./log-records.ts";

export type LogKind = "session" | "evaluation";

/**
 * The operator's side of NATS. It connects and reconnects in the background; calls wait a few seconds for it and then
 * throw `NatsUnavailable`.
 */
export type OperatorNats = {
  /** Creates the logs' stream, or updates its settings. */
  ensureStream(): Promise<void>;
  /** The same for the stream of events, which keeps the newest within these limits, and for what delivers them to exactly these subscribers. */
  ensureEventStream(limits: EventLimits, subscribers: readonly EventSubscriber[]): Promise<void>;
  /** Stores an event. One whose `id` the stream has known for less than a day is stored once. */
  publishEvent(event: CloudEvent): Promise<void>;
  readLog(subject: string): Promise<{ records: LogRecord[]; lastSequence: number }>;
  /** What is kept of a log that may be larger than memory. The same `fold` object must be given for a subject each time. */
  foldLog<State>(subject: string, fold: Fold<State>): Promise<State>;
  /** Calls back after each append to any log. A hint: appends while NATS is unavailable are not reported later. */
  onActivity(callback: (kind: LogKind, uid: string) => void): void;
  onProgress(callback: (uid: string, progress: Progress) => void): void;
  /** Whether NATS responds within two seconds. */
  healthy(): Promise<boolean>;
  close(): Promise<void>;
};

const patience = 5_000;
/** Bytes of the messages of logs that are kept whole; parsed, they take a few times as much memory. */
const mostBytes = 8 * 1024 * 1024;
/** Logs of which a summary is kept. */
const mostSummaries = 1_000;

const logs = {
  name: logStream,
  subjects: ["rune.session.*", "rune.evaluation.*"],
  max_age: nanos(30 * 24 * 60 * 60 * 1000),
  duplicate_window: nanos(2 * 60 * 1000),
};

export function connectNats(endpoint: NatsEndpoint): OperatorNats {
  const connecting = connectForever(endpoint, { name: "rune-operator" });
  connecting.catch(() => undefined);
  let closing = false;
  const whole = new KnownLogs<StoredLog<readonly StoredRecord[]>>(mostBytes, ({ bytes }) => bytes);
  const summaries = new KnownLogs<StoredLog<unknown>>(mostSummaries, () => 1);
  const read = async <State>(subject: string, fold: Fold<State>, known: StoredLog<State> | undefined) => {
    const source = { connection: await connected(), stream: logStream, subject, name: `operator-${randomUUID()}` };
    return await unavailable(readLog(source, fold, known));
  };
  const connected = () => within(connecting, patience, `NATS at ${endpoint.url} is unavailable`);
  const subscribe = (subject: string, deliver: (subject: string, data: Uint8Array) => void) => {
    const listen = async () => {
      for await (const message of (await connecting).subscribe(subject)) deliver(message.subject, message.data);
    };
    listen().catch(() => undefined);
  };

  return {
    ensureStream: async () => unavailable(ensureStream(await connected(), logs)),
    ensureEventStream: async (limits, subscribers) => {
      const connection = await connected();
      await unavailable(ensureStream(connection, eventStreamOf(limits)));
      await unavailable(keepSubscribers(connection, subscribers));
    },
    publishEvent: async (event) => unavailable(storeEvent(await connected(), event)),
    readLog: async (subject) => {
      const log = await read(subject, allRecords, whole.get(subject));
      whole.set(subject, log);
      return { records: log.state.map(({ record }) => record), lastSequence: log.lastSequence };
    },
    foldLog: async <State>(subject: string, fold: Fold<State>) => {
      const log = await read(subject, fold, summaries.get(subject) as StoredLog<State> | undefined);
      summaries.set(subject, log);
      return log.state;
    },
    onActivity: (callback) => {
      for (const kind of ["session", "evaluation"] as const) subscribe(`rune.${kind}.*`, (subject) => callback(kind, lastToken(subject)));
    },
    onProgress: (callback) =>
      subscribe("rune.progress.*", (subject, data) => {
        const parsed = progress.safeParse(parseJSON(data));
        if (parsed.success) callback(lastToken(subject), parsed.data);
      }),
    healthy: async () => {
      const check = within(connecting, 2_000, "NATS is unavailable").then((connection) =>
        within(connection.flush(), 2_000, "NATS is unavailable"),
      );
      return (
        !closing &&
        (await check.then(
          () => true,
          () => false,
        ))
      );
    },
    close: async () => {
      closing = true;
      const closed = connecting.then((connection) => connection.close()).catch(() => undefined);
      await Promise.race([closed, new Promise((resolve) => setTimeout(resolve, 1_000).unref())]);
    },
  };
}

/** Whatever fails while talking to NATS is worth another try for the operator, which reconciles again anyway. */
async function unavailable<T>(work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (cause) {
    throw new NatsUnavailable(`NATS did not do what was asked: ${(cause as Error).message}`, { cause });
  }
}

async function within<T>(work: Promise<T>, milliseconds: number, message: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new NatsUnavailable(message)), milliseconds);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

function lastToken(subject: string): string {
  return subject.slice(subject.lastIndexOf(".") + 1);
}
