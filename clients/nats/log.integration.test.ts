import { randomUUID } from "node:crypto";
import { setTimeout as wait } from "node:timers/promises";
import { evaluationSubject, inboxPrefix, type LogRecord, logConsumer, logStream, sessionSubject } from "@rune/crds/contracts/session-log";
import { progressSubject } from "@rune/crds/contracts/trainer";
import { generateKeys } from "@rune/operator/credentials/keys";
import { evaluationUser, progressUser, sessionUser } from "@rune/operator/credentials/nats-users";
import { headers, type NatsConnection } from "nats";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { canonicalJSON } from "../registry/digest.ts";
import { removeService, type Service, startNats } from "../testing/services.ts";
import { connectForever } from "./connection.ts";
import { connectLog, Fenced, type SessionLog } from "./log.ts";
import { allRecords, readLog, type StoredLog, type StoredRecord } from "./log-records.ts";
import { connectNats, type OperatorNats } from "./nats.ts";

const enabled = process.env.RUNE_TEST_SERVICES === "1";
const minutes = 60_000;

describe.runIf(enabled)("the logs against nats-server", () => {
  let service: Service;
  let accountSeed: string;
  let operator: OperatorNats;
  let administrator: NatsConnection;
  const opened: { close(): Promise<unknown> }[] = [];
  const keep = <T extends { close(): Promise<unknown> }>(value: T): T => {
    opened.push(value);
    return value;
  };
  const open = async (uid: string, credentials?: string): Promise<SessionLog> =>
    keep(
      await connectLog({
        url: service.url,
        credentials: credentials ?? (await sessionUser({ accountSeed, uid, seconds: 300 })),
        stream: logStream,
        subject: sessionSubject(uid),
        uid,
        deadline: Date.now() + 60_000,
      }),
    );
  const raw = async (uid: string): Promise<NatsConnection> =>
    keep(
      await connectForever(
        { url: service.url, credentials: await sessionUser({ accountSeed, uid, seconds: 300 }) },
        { name: "raw", inboxPrefix: inboxPrefix(uid) },
      ),
    );
  type Known = StoredLog<readonly StoredRecord[]>;
  const source = (subject: string) => ({ connection: administrator, stream: logStream, subject, name: `test-${randomUUID()}` });
  const read = async (subject: string, known?: Known): Promise<Known> => await readLog(source(subject), allRecords, known);
  const reflected = (n: number, epoch = 1, notes: string[] = []): LogRecord => ({
    type: "reflected",
    n,
    epoch,
    time: "2026-01-01T00:00:00Z",
    round: 0,
    notes,
  });

  beforeAll(async () => {
    const keys = await generateKeys();
    accountSeed = keys["nats-account.seed"] ?? "";
    service = await startNats(keys["nats-auth.conf"] ?? "");
    const credentials = keys["operator.creds"] ?? "";
    operator = keep(connectNats({ url: service.url, credentials }));
    administrator = keep(await connectForever({ url: service.url, credentials }, { name: "administrator" }));
    await operator.ensureStream();
    await operator.ensureStream();
  }, 10 * minutes);
  afterAll(async () => {
    await Promise.all(opened.map((each) => each.close()));
    await removeService(service);
  });

  it("keeps what was appended, for the program that replays it and for the operator", async () => {
    const log = await open("a1");
    expect(await log.read()).toEqual({ records: [], lastSequence: 0 });
    const sequences = [await log.append(reflected(0)), await log.append(reflected(1))];
    const again = await open("a1");
    const replayed = await again.read();
    expect(replayed.records).toEqual([reflected(0), reflected(1)]);
    expect(replayed.lastSequence).toBe(sequences[1]);
    await again.append(reflected(2));
    expect((await operator.readLog(sessionSubject("a1"))).records).toHaveLength(3);
  });

  it("reads a log of more records than one fetch takes", async () => {
    const log = await open("long");
    await log.read();
    await Promise.all(Array.from({ length: 620 }, (_, n) => log.append(reflected(n))));
    expect((await log.read()).records.map((record) => record.n)).toEqual(Array.from({ length: 620 }, (_, n) => n));
  });

  it("reads a long log in batches, and keeps of it what the reader keeps", async () => {
    const log = await open("batches");
    await log.read();
    for (let n = 0; n < 230; n += 1) await log.append(reflected(n));
    const sizes: number[] = [];
    const sum = {
      empty: 0,
      add: (state: number, records: readonly StoredRecord[]) => {
        sizes.push(records.length);
        return records.reduce((total, { record }) => total + record.n, state);
      },
    };
    const whole = await readLog(source(sessionSubject("batches")), sum);
    expect([whole.state, sizes]).toEqual([(229 * 230) / 2, [100, 100, 30]]);
    await log.append(reflected(1000));
    expect((await readLog(source(sessionSubject("batches")), sum, whole)).state).toBe((229 * 230) / 2 + 1000);
    expect(await operator.foldLog(sessionSubject("batches"), sum)).toBe((229 * 230) / 2 + 1000);
  });

  it("reads only what follows a log that is known, and all of one that is another by now", async () => {
    const subject = sessionSubject("known");
    const log = await open("known");
    await log.read();
    for (const n of [0, 1]) await log.append(reflected(n));
    const first = await read(subject);
    expect(await read(subject, first)).toBe(first);
    await log.append(reflected(2));
    const marked = { ...first, state: [{ sequence: 1, record: reflected(90) }] };
    const numbers = async (known: Known) => (await read(subject, known)).state.map(({ record }) => record.n);
    expect(await numbers(marked)).toEqual([90, 2]);
    expect(await numbers({ ...marked, last: "another record" })).toEqual([0, 1, 2]);
    expect(await numbers({ ...marked, lastSequence: first.lastSequence + 100 })).toEqual([0, 1, 2]);
    expect((await read(sessionSubject("never-written"), marked)).state).toEqual([]);
    expect((await read(subject)).bytes).toBe([0, 1, 2].reduce((sum, n) => sum + canonicalJSON(reflected(n)).length, 0));
  });

  it("keeps what it has read of a log for the next time, until the stream is created again", async () => {
    const log = await open("kept");
    await log.read();
    await log.append(reflected(0));
    const numbers = async () => (await operator.readLog(sessionSubject("kept"))).records.map(({ n }) => n);
    expect([await numbers(), await numbers()]).toEqual([[0], [0]]);
    await log.append(reflected(1));
    expect(await numbers()).toEqual([0, 1]);
    await (await administrator.jetstreamManager()).streams.delete(logStream);
    await operator.ensureStream();
    expect(await numbers()).toEqual([]);
    const next = await open("kept");
    await next.read();
    await next.append(reflected(7));
    expect(await numbers()).toEqual([7]);
  });

  it("fences the program of the older epoch once a newer one has written", async () => {
    const [older, newer] = [await open("f1"), await open("f1")];
    await older.read();
    await newer.read();
    await newer.append(reflected(0, 2));
    await expect(older.append(reflected(0, 1))).rejects.toThrow(Fenced);
    await expect(older.append(reflected(1, 1))).rejects.toThrow(Fenced);
    await newer.append(reflected(1, 2));
  });

  it("fences a program that starts only after its successor has written", async () => {
    const newer = await open("f2");
    await newer.read();
    await newer.append(reflected(0, 2));
    const late = await open("f2");
    expect((await late.read()).records).toHaveLength(1);
    await expect(late.append(reflected(1, 1))).rejects.toThrow(Fenced);
    await newer.append(reflected(1, 2));
  });

  it("takes a record that was stored although the answer was lost for its own", async () => {
    const [log, twin] = [await open("d1"), await open("d1")];
    await log.read();
    await twin.read();
    const stored = await twin.append(reflected(0));
    expect(await log.append(reflected(0))).toBe(stored);
    expect(await log.append(reflected(1))).toBeGreaterThan(stored);
  });

  it("lets a session's user write, read and consume its own log and nothing else", async () => {
    const other = await open("other");
    await other.read();
    await other.append(reflected(0, 1, ["secret"]));
    const connection = await raw("mine");
    const consumer = (name: string, filter: string, extra = {}) => ({
      stream_name: logStream,
      config: { name, filter_subject: filter, ack_policy: "none", deliver_policy: "all", ...extra },
    });
    const refused = [
      [`$JS.API.CONSUMER.CREATE.${logStream}.log-mine.${sessionSubject("other")}`, consumer("log-mine", sessionSubject("other"))],
      [`$JS.API.CONSUMER.CREATE.${logStream}.log-other.${sessionSubject("other")}`, consumer("log-other", sessionSubject("other"))],
      [`$JS.API.CONSUMER.CREATE.${logStream}.log-mine`, consumer("log-mine", sessionSubject("other"))],
      [`$JS.API.STREAM.INFO.${logStream}`, {}],
      [`$JS.API.STREAM.PURGE.${logStream}`, {}],
      [`$JS.API.STREAM.MSG.GET.${logStream}`, { seq: 1 }],
      [`$JS.API.DIRECT.GET.${logStream}.${sessionSubject("other")}`, {}],
      [sessionSubject("other"), {}],
      [evaluationSubject("mine"), {}],
      [progressSubject("other"), {}],
    ] as const;
    for (const [subject, body] of refused) {
      const answer = await connection.request(subject, JSON.stringify(body), { timeout: 500 }).then(
        (message) => new TextDecoder().decode(message.data),
        (error) => error.code,
      );
      expect([subject, answer]).toEqual([subject, expect.stringMatching(/^(PERMISSIONS_VIOLATION|TIMEOUT|503)$/)]);
    }
    const mismatched = await connection.request(
      `$JS.API.CONSUMER.CREATE.${logStream}.${logConsumer("mine")}.${sessionSubject("mine")}`,
      JSON.stringify(consumer(logConsumer("mine"), sessionSubject("other"))),
    );
    expect(mismatched.json()).toMatchObject({ error: { code: 400 } });
    for (const subject of [sessionSubject("other"), "_INBOX.other.>", ">"]) {
      const subscription = connection.subscribe(subject);
      await connection.flush();
      await expect(subscription.closed.then(() => "closed")).resolves.toBe("closed");
    }
    expect((await operator.readLog(sessionSubject("other"))).records).toHaveLength(1);
  });

  it("loses and forges nothing when a session's user has its log delivered to somebody else's subject", async () => {
    const log = await open("pusher");
    await log.read();
    await log.append(reflected(0));
    const told: string[] = [];
    operator.onProgress((uid) => told.push(uid));
    const connection = await raw("pusher");
    const consumer = `${logStream}.${logConsumer("pusher")}`;
    for (const target of [`$JS.API.STREAM.PURGE.${logStream}`, progressSubject("victim"), sessionSubject("victim")]) {
      const config = {
        name: logConsumer("pusher"),
        filter_subject: sessionSubject("pusher"),
        ack_policy: "none",
        deliver_policy: "all",
        deliver_subject: target,
      };
      const body = JSON.stringify({ stream_name: logStream, config, action: "" });
      await connection.request(`$JS.API.CONSUMER.CREATE.${consumer}.${sessionSubject("pusher")}`, body);
      await wait(300);
      await connection.request(`$JS.API.CONSUMER.DELETE.${consumer}`, "");
    }
    expect((await operator.readLog(sessionSubject("pusher"))).records).toHaveLength(1);
    expect((await operator.readLog(sessionSubject("victim"))).records).toHaveLength(0);
    expect(told).toEqual([]);
  });

  it("forges nothing when a session's user asks for its own log, with ids of its choice, as the answer to somebody else", async () => {
    const connection = await raw("puller");
    const chosen = headers();
    chosen.set("Nats-Msg-Id", "prey/0/reflected");
    const record = JSON.stringify(reflected(0));
    await connection.request(sessionSubject("puller"), record, { headers: chosen, timeout: 5_000 });
    const consumer = `${logStream}.${logConsumer("puller")}`;
    const config = { name: logConsumer("puller"), filter_subject: sessionSubject("puller"), ack_policy: "none", deliver_policy: "all" };
    for (const target of [sessionSubject("prey"), `$JS.API.STREAM.PURGE.${logStream}`]) {
      const body = JSON.stringify({ stream_name: logStream, config, action: "" });
      await connection.request(`$JS.API.CONSUMER.CREATE.${consumer}.${sessionSubject("puller")}`, body);
      connection.publish(`$JS.API.CONSUMER.MSG.NEXT.${consumer}`, JSON.stringify({ batch: 1, expires: 1e9 }), { reply: target });
      await connection.flush();
      await wait(300);
      await connection.request(`$JS.API.CONSUMER.DELETE.${consumer}`, "");
    }
    expect((await operator.readLog(sessionSubject("puller"))).records).toHaveLength(1);
    expect(await operator.readLog(sessionSubject("prey"))).toEqual({ records: [], lastSequence: 0 });
  });

  it("skips what the server stores in a log because another user's request names it for the answer, and writes on behind it", async () => {
    const log = await open("flooded");
    await log.read();
    await log.append(reflected(0));
    const connection = await raw("flooder");
    const disturb = async () => {
      connection.publish(sessionSubject("flooder"), "{}", { reply: sessionSubject("flooded") });
      connection.publish(`$JS.API.CONSUMER.DELETE.${logStream}.${logConsumer("flooder")}`, "", { reply: sessionSubject("flooded") });
      await connection.flush();
      await wait(300);
    };
    await disturb();
    expect(await log.append(reflected(1))).toBeGreaterThan(1);
    await disturb();
    const { records, lastSequence } = await operator.readLog(sessionSubject("flooded"));
    expect(records.map(({ n }) => n)).toEqual([0, 1]);
    const next = await open("flooded");
    expect(await next.read()).toMatchObject({ records: [{ n: 0 }, { n: 1 }], lastSequence });
    await next.append(reflected(2, 2));
    await expect(log.append(reflected(2))).rejects.toThrow(Fenced);
  });

  it("tells the operator of appends and of progress", async () => {
    const activity: string[] = [];
    const progress: unknown[] = [];
    operator.onActivity((kind, uid) => activity.push(`${kind} ${uid}`));
    operator.onProgress((uid, value) => progress.push([uid, value]));
    expect(await operator.healthy()).toBe(true);
    const log = await open("seen");
    await log.read();
    await log.append(reflected(0));
    const credentials = await evaluationUser({ accountSeed, uid: "ev", seconds: 300 });
    const evaluation = keep(
      await connectLog({ url: service.url, credentials, stream: logStream, subject: evaluationSubject("ev"), uid: "ev" }),
    );
    await evaluation.read();
    await evaluation.append(reflected(0));
    const trainer = keep(
      await connectForever(
        { url: service.url, credentials: await progressUser({ accountSeed, uid: "run", seconds: 300 }) },
        { name: "trainer" },
      ),
    );
    trainer.publish(progressSubject("run"), JSON.stringify({ percent: 40 }));
    await trainer.flush();
    await expect.poll(() => activity).toEqual(["session seen", "evaluation ev"]);
    await expect.poll(() => progress).toEqual([["run", { percent: 40 }]]);
  });

  it(
    "pauses while NATS is unavailable and goes on when it is back, with the log as it was",
    async () => {
      const log = await open("pause");
      await log.read();
      await log.append(reflected(0));
      await service.stop();
      const appending = log.append(reflected(1));
      await expect.poll(() => operator.healthy(), { timeout: 10_000 }).toBe(false);
      await service.start();
      expect(await appending).toBeGreaterThan(0);
      expect((await log.read()).records).toHaveLength(2);
      await expect.poll(() => operator.healthy(), { timeout: 30_000 }).toBe(true);
    },
    minutes,
  );
});
