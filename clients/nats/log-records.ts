import { type LogRecord, logRecord } from "@rune/crds/contracts/session-log";
import { AckPolicy, DeliverPolicy, type NatsConnection, nanos, ReplayPolicy } from "nats";
import { z } from "zod";

/** A stored record with its sequence in the stream. */
export type StoredRecord = { sequence: number; record: LogRecord };

/** The records of a subject, and the sequence of its last message, which need not be a record. */
export type StoredLog = { records: StoredRecord[]; lastSequence: number };

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
 * requests that a pod's user is allowed; none is about the whole stream.
 *
 * Messages without an id are skipped: every writer of a log gives its records one. A NATS server publishes its answers
 * to whatever reply subject a request names, so the holder of any credentials can have one stored in another log.
 */
export async function readRecords(connection: NatsConnection, stream: string, subject: string, name: string): Promise<StoredLog> {
  await deleteConsumer(connection, stream, name);
  const pending = await createConsumer(connection, stream, subject, name);
  const log: StoredLog = { records: [], lastSequence: 0 };
  let received = 0;
  if (pending > 0) {
    const consumer = await connection.jetstream({ timeout }).consumers.get(stream, name);
    while (received < pending) {
      const before = received;
      for await (const message of await consumer.fetch({ max_messages: Math.min(500, pending - received), expires: timeout })) {
        received += 1;
        log.lastSequence = message.seq;
        if (message.headers?.get(idHeader))
          log.records.push({ sequence: message.seq, record: parseRecord(message.data, subject, message.seq) });
      }
      if (received === before) throw new Error(`the log ${subject} gave ${before} of ${pending} messages within ${timeout} ms`);
    }
  }
  await deleteConsumer(connection, stream, name);
  return log;
}

/** The header by which JetStream recognizes a message that it has stored before. */
const idHeader = "Nats-Msg-Id";

async function createConsumer(connection: NatsConnection, stream: string, subject: string, name: string): Promise<number> {
  const config = {
    name,
    filter_subject: subject,
    deliver_policy: DeliverPolicy.All,
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
