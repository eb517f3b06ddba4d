import { setTimeout as wait } from "node:timers/promises";
import {
  type CloudEvent,
  cloudEvent,
  eventContentType,
  eventStream,
  eventSubject,
  subscriberConsumer,
} from "@rune/crds/contracts/cloudevents";
import { inboxPrefix, logConsumer, logStream, sessionSubject } from "@rune/crds/contracts/session-log";
import { generateKeys } from "@rune/operator/credentials/keys";
import { type Subscriber, sessionUser, subscriberUser } from "@rune/operator/credentials/nats-users";
import type { Msg, NatsConnection } from "nats";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { removeService, type Service, startNats } from "../testing/services.ts";
import { connectForever } from "./connection.ts";
import { connectNats, NatsUnavailable, type OperatorNats } from "./nats.ts";

const enabled = process.env.RUNE_TEST_SERVICES === "1";
const limits = { days: 7, mebibytes: 8 };

describe.runIf(enabled)("events against nats-server", () => {
  let service: Service;
  let accountSeed: string;
  let credentials: string;
  let operator: OperatorNats;
  let admin: NatsConnection;
  const opened: { close(): Promise<unknown> }[] = [];
  const keep = <T extends { close(): Promise<unknown> }>(value: T): T => {
    opened.push(value);
    return value;
  };
  const open = async (user: string, options: { name: string; inboxPrefix?: string } = { name: "test" }) =>
    keep(await connectForever({ url: service.url, credentials: user }, options));
  const event = (name: string, namespace = "team"): CloudEvent => ({
    specversion: "1.0",
    id: `uid-of-${name}/ended`,
    source: `/apis/rune.dev/v1alpha1/namespaces/${namespace}/agentsessions`,
    subject: name,
    time: "2026-03-02T12:00:00Z",
    datacontenttype: "application/json",
    type: "dev.rune.agentsession.ended.v1",
    data: {
      object: { namespace, name, uid: `uid-of-${name}` },
      result: "Succeeded",
      reason: "Solved",
      outcome: "Solved",
      rounds: 1,
      programs: 2,
    },
  });
  const messages = async () => (await (await admin.jetstreamManager()).streams.info(eventStream)).state.messages;
  /** Everything that a subscriber receives from now on. */
  const hear = async ({ credentials: user, subject }: Subscriber): Promise<{ heard: Msg[]; connection: NatsConnection }> => {
    const connection = await open(user, { name: "subscriber" });
    const heard: Msg[] = [];
    connection.subscribe(subject, { callback: (error, message) => void (error ?? heard.push(message)) });
    await connection.flush();
    return { heard, connection };
  };
  const subscriber = (name: string) => subscriberUser({ accountSeed, name });
  /** What the operator sent, recognized as the guide describes. */
  const named = (heard: readonly Msg[]) =>
    heard
      .filter(({ headers }) => headers?.get("Content-Type") === eventContentType)
      .map((message) => cloudEvent.parse(message.json()).subject);

  beforeAll(async () => {
    const keys = await generateKeys();
    accountSeed = keys["nats-account.seed"] ?? "";
    credentials = keys["operator.creds"] ?? "";
    service = await startNats(keys["nats-auth.conf"] ?? "");
    operator = keep(connectNats({ url: service.url, credentials }));
    admin = await open(credentials);
    await operator.ensureStream();
    await operator.ensureEventStream(limits, []);
  }, 600_000);
  afterAll(async () => {
    await Promise.all(opened.map((each) => each.close()));
    await removeService(service);
  });

  it("stores an event once, however often it is published, also by another operator", async () => {
    const before = await messages();
    await operator.publishEvent(event("once"));
    await operator.publishEvent(event("once"));
    await keep(connectNats({ url: service.url, credentials })).publishEvent(event("once"));
    expect(await messages()).toBe(before + 1);
  });

  it("stores a CloudEvent as it is, under its subject, with its content type", async () => {
    await operator.publishEvent(event("whole"));
    const stored = await (await admin.jetstreamManager()).streams.getMessage(eventStream, { last_by_subj: eventSubject(event("whole")) });
    expect(stored.json()).toEqual(event("whole"));
    expect(stored.header.get("Content-Type")).toBe(eventContentType);
  });

  it("delivers to a subscriber what was told while it was unavailable, and each event once", async () => {
    const audit = await subscriber("away");
    await operator.publishEvent(event("before-it"));
    await operator.ensureEventStream(limits, [{ name: "away", subject: audit.subject }]);
    const first = await hear(audit);
    await expect.poll(() => named(first.heard)).toContain("before-it");
    await first.connection.close();
    // What is on its way to a connection that has broken is lost.
    const consumer = async () => (await admin.jetstreamManager()).consumers.info(eventStream, subscriberConsumer("away"));
    await expect.poll(async () => (await consumer()).push_bound ?? false).toBe(false);
    await operator.publishEvent(event("while-away"));
    await operator.ensureEventStream(limits, [{ name: "away", subject: audit.subject }]);
    const second = await hear(audit);
    await expect.poll(() => named(second.heard)).toEqual(["while-away"]);
    expect(second.heard[0]?.subject).toBe("rune.events.team.agentsession.ended");
    await operator.ensureEventStream(limits, [{ name: "away", subject: audit.subject }]);
    await operator.publishEvent(event("while-listening"));
    await expect.poll(() => named(second.heard)).toEqual(["while-away", "while-listening"]);
  });

  it("delivers to a subscriber of one namespace nothing of another", async () => {
    const user = await subscriber("one");
    await operator.ensureEventStream(limits, [{ name: "one", subject: user.subject, namespace: "team-a" }]);
    const { heard } = await hear(user);
    await operator.publishEvent(event("theirs", "team-ab"));
    await operator.publishEvent(event("ours", "team-a"));
    await expect.poll(() => named(heard)).toEqual(["ours"]);
  });

  it("lets a subscriber publish nothing and listen to nothing else", async () => {
    const user = await subscriber("nosy");
    await operator.ensureEventStream(limits, [{ name: "nosy", subject: user.subject }]);
    const connection = await open(user.credentials, { name: "nosy" });
    const before = await messages();
    const consumer = subscriberConsumer("nosy");
    const refused = [
      "rune.events.team.agentsession.ended",
      user.subject,
      sessionSubject("s"),
      `$JS.API.STREAM.INFO.${eventStream}`,
      `$JS.API.DIRECT.GET.${eventStream}`,
      `$JS.API.CONSUMER.INFO.${eventStream}.${consumer}`,
      `$JS.API.CONSUMER.DELETE.${eventStream}.${consumer}`,
    ];
    for (const subject of refused) connection.publish(subject, "{}", { reply: sessionSubject("victim") });
    await connection.flush();
    for (const subject of ["rune.events.>", "rune.session.>", "rune.delivery.>", "$JS.EVENT.>", ">"]) {
      const subscription = connection.subscribe(subject);
      await connection.flush();
      await expect(subscription.closed.then(() => "closed")).resolves.toBe("closed");
    }
    expect(await messages()).toBe(before);
    expect((await operator.readLog(sessionSubject("victim"))).records).toEqual([]);
  });

  it("delivers no more to credentials that were replaced, nor to a subscriber that was taken off the list", async () => {
    const [old, current] = [await subscriber("moved"), await subscriber("moved")];
    await operator.ensureEventStream(limits, [{ name: "moved", subject: old.subject }]);
    const before = await hear(old);
    await operator.ensureEventStream(limits, [{ name: "moved", subject: current.subject }]);
    const after = await hear(current);
    await operator.publishEvent(event("moved-on"));
    await expect.poll(() => named(after.heard)).toContain("moved-on");
    expect(named(before.heard)).not.toContain("moved-on");
    await operator.ensureEventStream(limits, []);
    await operator.publishEvent(event("off-the-list"));
    await wait(300);
    expect(named(after.heard)).not.toContain("off-the-list");
  });

  it("delivers nothing that the pod of a session has put between them", async () => {
    const user = await subscriber("careful");
    await operator.ensureEventStream(limits, [{ name: "careful", subject: user.subject }]);
    const { heard } = await hear(user);
    await expect.poll(() => heard.length).toBeGreaterThan(0);
    const uid = "forger";
    const pod = await open(await sessionUser({ accountSeed, uid, seconds: 300 }), { name: "pod", inboxPrefix: inboxPrefix(uid) });
    const consumer = `${logStream}.${logConsumer(uid)}.${sessionSubject(uid)}`;
    const forged = event("forged");
    const before = heard.length;
    pod.publish(eventSubject(forged), JSON.stringify(forged));
    // What NATS answers goes where the asker says; an answer is no event.
    pod.publish(sessionSubject(uid), JSON.stringify(forged), { reply: eventSubject(forged) });
    await pod.request(sessionSubject(uid), JSON.stringify(forged));
    const config = { name: logConsumer(uid), filter_subject: sessionSubject(uid), ack_policy: "none", deliver_policy: "all" };
    const body = { stream_name: logStream, config: { ...config, deliver_subject: eventSubject(forged) }, action: "" };
    await pod.request(`$JS.API.CONSUMER.CREATE.${consumer}`, JSON.stringify(body));
    await wait(500);
    await operator.publishEvent(event("genuine"));
    await expect.poll(() => heard.some((message) => message.string().includes("genuine"))).toBe(true);
    expect(named(heard.slice(before))).toEqual(["genuine"]);
  });

  it("is unavailable while the server is unavailable, and publishes when it is back what it had", { timeout: 60_000 }, async () => {
    await service.stop();
    await expect(operator.publishEvent(event("late"))).rejects.toThrow(NatsUnavailable);
    await service.start();
    await expect.poll(() => operator.healthy(), { timeout: 20_000 }).toBe(true);
    // Each connection comes back by itself, after waiting as long as it draws.
    const before = await vi.waitFor(messages, { timeout: 20_000 });
    await operator.publishEvent(event("late"));
    await operator.publishEvent(event("whole"));
    expect(await messages()).toBe(before + 1);
  });
});
