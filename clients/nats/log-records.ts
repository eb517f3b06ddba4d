import { type LogRecord, logRecord } from "@rune/crds/contracts/session-log";
import { AckPolicy, DeliverPolicy, type JsMsg, type NatsConnection, nanos, ReplayPolicy } from "nats";
import { z } from "zod";
import { sha256 } from "../registry/digest.ts";

/** A stored record with its sequence in the stream. */
export type StoredRecord = { sequence: number; record: LogRecord };

/** What a reader keeps of a log. A log is read in batches and may be larger than memory. */
export type Fold<State> = {
  readonly empty: State;
  /** The state after more records; the one before stays as it was. */
  readonly add: (state: State, records: readonly StoredRecord[]) => State;
};

export const allRecords: Fold<readonly StoredRecord[]> = { empty: [], add: (state, records) => [...state, ...records] };

/** A log as it was read: what was kept of its records, and its last message, which need not be a record. */
export type StoredLog<State> = {
  state: State;
  /** sequence of the last message; 0 for an empty log */
  lastSequence: number;
  /** the last message's digest, by which a log is recognized that was read before */
  last: string;
  /** sum of all messages' sizes */
  bytes: number;
};

/** Where a log is, and the name of the consumer by which it is read. */
export type LogSource = { connection: NatsConnection; stream: string; subject: string; name: string };

export class LogCorrupt extends Error {
  override readonly name = "LogCorrupt";
}

const created = z.object({
  num_pending: z.number().int().min(0).optional(),
  error: z.object({ code: z.number(), err_code: z.number().optional(), description: z.string().optional() }).optional(),
});
const timeout = 5_000;

/** Messages of a batch; each may have 1 MiB. */
const longestBatch = 100;

/**
 * Reads the records of a subject, oldest first, through one short-lived pull consumer. Uses only the requests that a
 * pod's user is allowed; none is about the whole stream. With the log as it was read before, `known`, only its last
 * message and what follows are read.
 *
 * Messages without an id are skipped: every writer of a log gives its records one. A NATS server publishes its answers
 * to whatever reply subject a request names, so the holder of any credentials can have one stored in another log.
 */
export async function readLog<State>(source: LogSource, fold: Fold<State>, known?: StoredLog<State>): Promise<StoredLog<State>> {
  await deleteConsumer(source);
  const pending = await createConsumer(source, known?.lastSequence ?? 0);
  let log = known ?? { state: fold.empty, lastSequence: 0, last: "", bytes: 0 };
  let isSame = log.lastSequence === 0;
  for await (const messages of batches(source, pending)) {
    if (!isSame && !isLast(messages[0], log)) break;
    log = extended(log, isSame ? messages : messages.slice(1), source.subject, fold);
    isSame = true;
  }
  await deleteConsumer(source);
  // The stream was created again, or the log deleted or restored from a backup.
  return isSame ? log : await readLog(source, fold);
}

async function* batches({ connection, stream, subject, name }: LogSource, pending: number): AsyncGenerator<JsMsg[]> {
  if (pending === 0) return;
  const consumer = await connection.jetstream({ timeout }).consumers.get(stream, name);
  for (let received = 0; received < pending; ) {
    const messages: JsMsg[] = [];
    const batch = await consumer.fetch({ max_messages: Math.min(longestBatch, pending - received), expires: timeout });
    for await (const message of batch) messages.push(message);
    if (messages.length === 0) throw new Error(`the log ${subject} gave ${received} of ${pending} messages within ${timeout} ms`);
    received += messages.length;
    yield messages;
  }
}

const isLast = (message: JsMsg | undefined, log: StoredLog<unknown>): boolean =>
  message?.seq === log.lastSequence && sha256(message.data) === log.last;

function extended<State>(log: StoredLog<State>, messages: readonly JsMsg[], subject: string, fold: Fold<State>): StoredLog<State> {
  const last = messages.at(-1);
  if (!last) return log;
  const records = messages
    .filter(({ headers }) => headers?.get(idHeader))
    .map(({ seq, data }) => ({ sequence: seq, record: parseRecord(data, subject, seq) }));
  return {
    state: fold.add(log.state, records),
    lastSequence: last.seq,
    last: sha256(last.data),
    bytes: messages.reduce((sum, { data }) => sum + data.length, log.bytes),
  };
}

/** The header by which JetStream recognizes a message that it has stored before. */
const idHeader = "Nats-Msg-Id";

async function createConsumer({ connection, stream, subject, name }: LogSource, from: number): Promise<number> {
  const config = {
    name,
    filter_subject: subject,
    ...(from > 0 ? { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: from } : { deliver_policy: DeliverPolicy.All }),
    ack_policy: AckPolicy.None,
    replay_policy: ReplayPolicy.Instant,
    inactive_threshold: nanos(60_000),
    mem_storage: true,
    num_replicas: 1,
  };
  const body = JSON.stringify({ stream_name: stream, config, action: "create" });
  const answer = await connection.request(`$JS.API.CONSUMER.CREATE.${stream}.${name}.${subject}`, body, { timeout });
  const { error, num_pending } = created.parse(answer.json());
  if (error) throw new Error(`the consumer ${name} of ${stream} was not created: ${error.description ?? `error ${error.code}`}`);
  return num_pending ?? 0;
}

async function deleteConsumer({ connection, stream, name }: LogSource): Promise<void> {
  await connection.request(`$JS.API.CONSUMER.DELETE.${stream}.${name}`, "", { timeout });
}

function parseRecord(data: Uint8Array, subject: string, sequence: number): LogRecord {
  try {
    return logRecord.parse(JSON.parse(new TextDecoder().decode(data)));
  } catch (cause) {
    throw new LogCorrupt(`record ${sequence} of ${subject} is not a log record; a person must look at the stream`, { cause });
  }
}
