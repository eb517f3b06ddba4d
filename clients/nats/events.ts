import {
  type CloudEvent,
  eventContentType,
  eventStream,
  eventSubject,
  eventSubjects,
  eventsOf,
  publishedWithinSeconds,
  subscriberConsumer,
} from "@rune/crds/contracts/cloudevents";
import { AckPolicy, DeliverPolicy, headers, type JetStreamManager, type NatsConnection, nanos, ReplayPolicy } from "nats";
import { canonicalJSON } from "../registry/digest.ts";

export type EventLimits = {
  /** Two at least: an id must be known for longer than anybody publishes it again. */
  readonly days: number;
  readonly mebibytes: number;
};

export type EventSubscriber = {
  readonly name: string;
  /** Where its events are delivered. */
  readonly subject: string;
  /** Only events of this namespace. */
  readonly namespace?: string | undefined;
};

const timeout = 5_000;
const hour = 60 * 60 * 1000;

export const eventStreamOf = ({ days, mebibytes }: EventLimits) => ({
  name: eventStream,
  subjects: [eventSubjects],
  max_age: nanos(days * 24 * hour),
  max_bytes: mebibytes * 1024 * 1024,
  duplicate_window: nanos(publishedWithinSeconds * 1000 + hour),
});

/** Stored once, as long as the stream knows the event's id. */
export async function storeEvent(connection: NatsConnection, event: CloudEvent): Promise<void> {
  const told = headers();
  told.set("Content-Type", eventContentType);
  const options = { msgID: event.id, headers: told, expect: { streamName: eventStream } };
  await connection.jetstream({ timeout }).publish(eventSubject(event), canonicalJSON(event), options);
}

/** A consumer for each subscriber, which remembers how far it is and delivers while somebody listens; those of others are deleted. */
export async function keepSubscribers(connection: NatsConnection, subscribers: readonly EventSubscriber[]): Promise<void> {
  const manager = await connection.jetstreamManager({ timeout, checkAPI: false });
  const found = new Map<string, string | undefined>();
  for await (const { name, config } of manager.consumers.list(eventStream)) found.set(name, config.deliver_subject);
  for (const subscriber of subscribers) {
    const name = subscriberConsumer(subscriber.name);
    // What was delivered to the holder of other credentials is delivered to that one no more.
    if (found.has(name) && found.get(name) !== subscriber.subject) await manager.consumers.delete(eventStream, name);
    await manager.consumers.add(eventStream, consumerOf(name, subscriber));
  }
  await deleteOthers(manager, [...found.keys()], new Set(subscribers.map(({ name }) => subscriberConsumer(name))));
}

/** Nothing is acknowledged, because a subscriber may publish nothing. */
const consumerOf = (name: string, { subject, namespace }: EventSubscriber) => ({
  durable_name: name,
  deliver_subject: subject,
  filter_subject: eventsOf(namespace),
  deliver_policy: DeliverPolicy.All,
  ack_policy: AckPolicy.None,
  replay_policy: ReplayPolicy.Instant,
  num_replicas: 1,
});

/** Consumers that people make for themselves are theirs. */
async function deleteOthers(manager: JetStreamManager, found: readonly string[], wanted: ReadonlySet<string>): Promise<void> {
  const prefix = subscriberConsumer("");
  for (const name of found.filter((each) => each.startsWith(prefix) && !wanted.has(each)))
    await manager.consumers.delete(eventStream, name);
}
