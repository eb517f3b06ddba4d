import { randomBytes } from "node:crypto";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { mediaType } from "@rune/crds/contracts/artifact";
import { evaluationSubject, inboxPrefix, type LogRecord, logConsumer, logStream, sessionSubject } from "@rune/crds/contracts/session-log";
import { progressSubject } from "@rune/crds/contracts/trainer";
import { generateKeys, generateSigningKey } from "@rune/operator/credentials/keys";
import { evaluationUser, progressUser, sessionUser } from "@rune/operator/credentials/nats-users";
import { registryToken } from "@rune/operator/credentials/registry-token";
import type { JWK } from "jose";
import { headers, type NatsConnection } from "nats";
import { Agent } from "undici";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { connectForever } from "./nats/connection.ts";
import { connectLog, Fenced, type SessionLog } from "./nats/log.ts";
import { connectNats, type OperatorNats } from "./nats/nats.ts";
import { sha256 } from "./registry/digest.ts";
import { evidenceTag, readEvidence, storeEvidence } from "./registry/evidence.ts";
import { ArtifactMissing, Registry, RegistryDenied } from "./registry/registry.ts";
import { removeService, type Service, startNats, startRegistry } from "./testing/services.ts";

const enabled = process.env.RUNE_TEST_SERVICES === "1";
const minutes = 60_000;

describe.runIf(enabled)("the registry client against CNCF Distribution", () => {
  let service: Service;
  let key: JWK;
  const grant = async (repository: string, actions: ("pull" | "push")[], extra: { key?: JWK; now?: number; seconds?: number } = {}) =>
    new Registry({
      url: service.url,
      token: await registryToken(extra.key ?? key, {
        subject: "test",
        seconds: extra.seconds ?? 300,
        access: [{ repository, actions }],
        now: extra.now,
      }),
    });
  const artifact = { artifactType: mediaType.adapter, config: { b: 1, a: [2] }, configMediaType: mediaType.adapter };

  beforeAll(async () => {
    const keys = await generateKeys();
    key = JSON.parse(keys["registry.jwk"] ?? "");
    service = await startRegistry(keys["registry.jwks"] ?? "");
  }, 10 * minutes);
  afterAll(() => removeService(service));

  it("pushes files of every size and gives back the same bytes, and the same digest when pushed again", async () => {
    const directory = await mkdtemp(join(tmpdir(), "rune-push-"));
    const large = randomBytes(40 * 1024 * 1024 + 17);
    await writeFile(join(directory, "large"), large);
    const registry = await grant("rune/default/adapters", ["pull", "push"]);
    const push = {
      ...artifact,
      repository: "rune/default/adapters",
      tag: "run-1",
      files: [
        { title: "small", mediaType: mediaType.adapterFile, bytes: Buffer.from("small") },
        { title: "large", mediaType: mediaType.adapterFile, path: join(directory, "large") },
        { title: "empty", mediaType: mediaType.adapterFile, bytes: Buffer.alloc(0) },
      ],
    };
    const first = await registry.push(push);
    expect(await registry.push({ ...push, files: [...push.files].reverse() })).toEqual(first);
    expect(first.sizeBytes).toBe(large.length + 5);
    expect(await registry.resolveTag("rune/default/adapters", "run-1")).toBe(first.digest);

    const { manifest, sizeBytes } = await registry.manifest("rune/default/adapters", first.digest);
    expect(sizeBytes).toBe(first.sizeBytes);
    expect(manifest.layers.map((layer) => layer.annotations?.["org.opencontainers.image.title"])).toEqual(["empty", "large", "small"]);
    await registry.download("rune/default/adapters", manifest.layers[1]!, join(directory, "deep/copy"));
    expect(sha256(await readFile(join(directory, "deep/copy")))).toBe(sha256(large));
    expect(await registry.json("rune/default/adapters", manifest.config, z.object({ a: z.array(z.number()), b: z.number() }))).toEqual({
      a: [2],
      b: 1,
    });
  });

  /**
   * Pushes a file in three parts; `before` runs once, before the second. Returns the methods from the file's POST on.
   */
  const pushInParts = async (before: () => Promise<unknown>): Promise<string[]> => {
    const methods: string[] = [];
    const repository = "rune/default/adapters";
    const token = await registryToken(key, { subject: "test", seconds: 300, access: [{ repository, actions: ["pull", "push"] }] });
    const registry = new Registry({
      url: service.url,
      dispatcher: new Agent().compose((dispatch) => (options, handler) => {
        methods.push(options.method);
        return dispatch(options, handler);
      }),
      token: async () => {
        if (methods.filter((method) => method === "PATCH").length === 1) await before();
        return token;
      },
    });
    const bytes = randomBytes(40 * 1024 * 1024);
    const { digest } = await registry.push({ ...artifact, repository, files: [{ title: "f", mediaType: mediaType.adapterFile, bytes }] });
    await registry.manifest(repository, digest);
    return methods.slice(methods.indexOf("PATCH") - 1, methods.lastIndexOf("PATCH") + 2);
  };

  it("goes on with an upload after a restart of the registry, whose secret stays", async () => {
    let restarts = 0;
    const methods = await pushInParts(async () => {
      if (restarts++ > 0) return;
      await service.stop();
      await service.start();
    });
    expect(methods).toEqual(["POST", "PATCH", "PATCH", "PATCH", "PUT"]);
  });

  it("begins an upload again whose session the registry has lost", async () => {
    const uploads = join(service.directory, "data/docker/registry/v2/repositories/rune/default/adapters/_uploads");
    const methods = await pushInParts(() => rm(uploads, { recursive: true, force: true }));
    expect(methods.slice(0, 5)).toEqual(["POST", "PATCH", "PATCH", "HEAD", "POST"]);
    expect(methods.slice(-5)).toEqual(["POST", "PATCH", "PATCH", "PATCH", "PUT"]);
  });

  it("says that an artifact or a tag isn't there", async () => {
    const registry = await grant("rune/default/nothing", ["pull"]);
    await expect(registry.manifest("rune/default/nothing", sha256("absent"))).rejects.toThrow(ArtifactMissing);
    expect(await registry.resolveTag("rune/default/nothing", "run-9")).toBeNull();
    await registry.ping();
  });

  it("lets a token pull only where and push only if it says so", async () => {
    const push = { ...artifact, repository: "rune/a/adapters", files: [] };
    const { digest } = await (await grant("rune/a/adapters", ["pull", "push"])).push(push);
    await (await grant("rune/a/adapters", ["pull"])).manifest("rune/a/adapters", digest);
    await expect((await grant("rune/a/adapters", ["pull"])).push({ ...push, config: { other: 1 } })).rejects.toThrow(RegistryDenied);
    await expect((await grant("rune/b/adapters", ["pull", "push"])).manifest("rune/a/adapters", digest)).rejects.toThrow(RegistryDenied);
    await expect(new Registry({ url: service.url }).manifest("rune/a/adapters", digest)).rejects.toThrow(RegistryDenied);
  });

  it("stores evidence once, finds it by its tags, and leaves what was there as it was", async () => {
    const repository = "rune/evidence/adapters";
    const registry = await grant(repository, ["pull", "push"]);
    const adapters = await Promise.all(
      ["one", "other"].map((name) => registry.push({ ...artifact, repository, config: { name }, files: [], tag: `run-${name}` })),
    );
    const evidence = (digest: string, uid: string, time = "2026-03-01T00:00:00Z") => ({
      schema: "rune.dev/evidence/v1" as const,
      kind: "Archival" as const,
      adapter: { name: "tessera", digest },
      by: { kind: "Person" as const, namespace: "evidence", name: "tessera", uid },
      time,
      why: "replaced",
    });
    const files = async () =>
      new Map(
        await Promise.all(
          (await readdir(join(service.directory, "data"), { recursive: true, withFileTypes: true }))
            .filter((each) => each.isFile())
            .map(async (each) => [join(each.parentPath, each.name), sha256(await readFile(join(each.parentPath, each.name)))] as const),
        ),
      );
    const before = await files();
    const uids = ["u1", "u2", "u3"];
    const [one, other] = adapters.map(({ digest }) => digest) as [string, string];
    for (const uid of uids) await storeEvidence(registry, repository, evidence(one, uid));
    const foreign = await storeEvidence(registry, repository, evidence(other, "u1"));
    expect(await storeEvidence(registry, repository, evidence(other, "u1", "2026-03-02T00:00:00Z"))).toEqual(foreign);
    const after = await files();
    for (const [path, digest] of before) expect(after.get(path), path).toBe(digest);

    const found = await readEvidence(await grant(repository, ["pull"]), repository, one);
    expect(found.ignored).toEqual([]);
    expect(found.evidence.map(({ tag }) => tag)).toEqual(uids.map((uid) => evidenceTag(one, "Archival", uid)));
    expect((await readEvidence(registry, repository, other)).evidence).toMatchObject([{ digest: foreign.digest }]);
    const nothing = await grant("rune/nobody/adapters", ["pull"]);
    expect((await readEvidence(nothing, "rune/nobody/adapters", one)).evidence).toEqual([]);
    const elsewhere = await grant("rune/b/adapters", ["pull", "push"]);
    await expect(readEvidence(elsewhere, repository, one)).rejects.toThrow(RegistryDenied);
  }, 60_000);

  it("refuses tokens that have expired or that another key signed", async () => {
    const expired = await grant("rune/a/adapters", ["pull"], { now: Date.now() - 10 * minutes, seconds: 60 });
    await expect(expired.resolveTag("rune/a/adapters", "x")).rejects.toThrow(RegistryDenied);
    const foreign = await grant("rune/a/adapters", ["pull"], { key: await generateSigningKey() });
    await expect(foreign.resolveTag("rune/a/adapters", "x")).rejects.toThrow(RegistryDenied);
  });
});

describe.runIf(enabled)("the logs against nats-server", () => {
  let service: Service;
  let accountSeed: string;
  let operator: OperatorNats;
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
    operator = keep(connectNats({ url: service.url, credentials: keys["operator.creds"] ?? "" }));
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
