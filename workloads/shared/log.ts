import { readFile } from "node:fs/promises";
import { connectLog, type SessionLog } from "@rune/clients/nats/log";
import { canonicalJSON, sha256 } from "@rune/clients/registry/digest";
import type { AgentJob } from "@rune/crds/contracts/agent";
import type { LogRecord, LogRecordBody } from "@rune/crds/contracts/session-log";

export type Intent = Extract<LogRecord, { type: "intent" }>;

/** The log of the object that the job works for. What can't be written by `deadline` (milliseconds since 1970) is given up. */
export async function openLog(
  { nats, owner }: Pick<AgentJob, "nats" | "owner">,
  deadline: number,
  signal: AbortSignal,
): Promise<SessionLog> {
  const { url, credentialsFile, stream, subject } = nats;
  const credentials = await readFile(credentialsFile, "utf8");
  const onWait = (message: string) => console.error(JSON.stringify({ time: new Date().toISOString(), level: "warn", message }));
  return await connectLog({ url, credentials, stream, subject, uid: owner.uid, signal, deadline, onWait });
}

/** A record, numbered and dated. */
export function recordOf(body: LogRecordBody, { n, epoch, now }: { n: number; epoch: number; now: Date }): LogRecord {
  return { ...body, n, epoch, time: now.toISOString() } as LogRecord;
}

/** What is written of an intent that an earlier epoch left without a result; its effect is announced again under another number. */
export function lost({ n, epoch }: Intent, present: number): LogRecordBody {
  return { type: "lost", message: `epoch ${epoch} left no result of step ${n}; epoch ${present} repeats it` };
}

/** By which an intent is known again: equal inputs have equal digests. */
export function inputDigest(input: unknown): string {
  return sha256(canonicalJSON(input));
}
