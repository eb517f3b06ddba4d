import { type LogRecord, logRecord } from "@rune/crds/contracts/session-log";
import { AckPolicy, DeliverPolicy, type JsMsg, type NatsConnection, nanos, ReplayPolicy } from "nats";
import { z } from "zod";

/** A stored record with its sequence in the stream. */
export type StoredRecord = { sequence: number; record: LogRecord };

/** The records of a subject, and its last message, which need not be a record. */
export type StoredLog = {
  records: readonly StoredRecord[];
  /** sequence of the last message; 0 for an empty log */
  lastSequence: number;
  /** the last message's bytes, by which a log is recognized that was read before */
  last: Uint8Array;
  /** sum of all messages' sizes */
  bytes: number;
};

const empty: StoredLog = { records: [], lastSequence: 0, last: new Uint8Array(), bytes: 0 };

export class LogCorrupt extends Error {
  override readonly name = "LogCorrupt";
}

const created = z.object({
  num_pending: z.number().int().min(0).optional(),
  error: z.object({ code: z.number(), err_code: z.number().optional(), description: z.string().optional() }).optional(),
});
const timeout = 5_000;

/**
 * All records of a subject, oldest first, read through one short-lived pull consumer named `name`. Uses only the
 * requests that a pod's user is allowed; none is about the whole stream. With the log as it was read before, `known`,
 * only its last message and what follows are read.
 *
 * Messages without an id are skipped: every writer of a log gives its records one. A NATS server publishes its answers
 * to whatever reply subject a request names, so the holder of any credentials can have one stored in another log.
 */
export async function readRecords(
  connection: NatsConnection,
  stream: string,
  subject: string,
  name: string,
  known: StoredLog = empty,
): Promise<StoredLog> {
  await deleteConsumer(connection, stream, name);
  const pending = await createConsumer(connection, stream, subject, name, known.lastSequence);
  const messages = pending > 0 ? await received(connection, stream, subject, name, pending) : [];
  await deleteConsumer(connection, stream, name);
  if (known.lastSequence === 0) return extended(empty, messages, subject);
  const [last, ...more] = messages;
  // The stream was created again, or the log deleted or restored from a backup.
  if (last?.seq !== known.lastSequence || Buffer.compare(last.data, known.last) !== 0)
    return await readRecords(connection, stream, subject, name);
  return extended(known, more, subject);
}

async function received(connection: NatsConnection, stream: string, subject: string, name: string, pending: number): Promise<JsMsg[]> {
  const consumer = await connection.jetstream({ timeout }).consumers.get(stream, name);
  const messages: JsMsg[] = [];
  while (messages.length < pending) {
    const before = messages.length;
    const batch = await consumer.fetch({ max_messages: Math.min(500, pending - before), expires: timeout });
    for await (const message of batch) messages.push(message);
    if (messages.length === before) throw new Error(`the log ${subject} gave ${before} of ${pending} messages within ${timeout} ms`);
  }
  return messages;
}

function extended(log: StoredLog, messages: readonly JsMsg[], subject: string): StoredLog {
  const last = messages.at(-1);
  if (!last) return log;
  const records = messages
    .filter(({ headers }) => headers?.get(idHeader))
    .map(({ seq, data }) => ({ sequence: seq, record: parseRecord(data, subject, seq) }));
  return {
    records: [...log.records, ...records],
    lastSequence: last.seq,
    last: last.data.slice(),
    bytes: messages.reduce((sum, { data }) => sum + data.length, log.bytes),
  };
}

/** The header by which JetStream recognizes a message that it has stored before. */
const idHeader = "Nats-Msg-Id";

async function createConsumer(connection: NatsConnection, stream: string, subject: string, name: string, from: number): Promise<number> {
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

async function deleteConsumer(connection: NatsConnection, stream: string, name: string): Promise<void> {
  await connection.request(`$JS.API.CONSUMER.DELETE.${stream}.${name}`, "", { timeout });
}

function parseRecord(data: Uint8Array, subject: string, sequence: number): LogRecord {
  try {
    return logRecord.parse(JSON.parse(new TextDecoder().decode(data)));
  } catch (cause) {
    throw new LogCorrupt(`record ${sequence} of ${subject} is not a log record; a person must look at the stream`, { cause });
  }
}
