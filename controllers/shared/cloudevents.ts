import { type CloudEvent, publishedWithinSeconds } from "@rune/crds/contracts/cloudevents";
import { kinds } from "@rune/crds/kinds/kinds";
import { ConditionType } from "@rune/crds/words/conditions";
import { apiVersion } from "@rune/crds/words/group";
import { getCondition, isTerminal, isTrue, type KubeObject, type Outcome, timestamp } from "kopf-ts";
import { endedAt } from "./time-to-live.ts";

/** Where events are sent. It never blocks: what can't be published now is published when NATS is back. */
export interface EventPublisher {
  /** Whether it has accepted the event of this id since the operator started. */
  hasAccepted(id: string): boolean;
  publish(event: CloudEvent): void;
}

/**
 * Adds effects to an outcome that publish what has happened. Events that follow from an object's status are due in each
 * of its passes for a day, so that a crash loses none; the stream remembers ids for longer, so none is stored twice.
 */
export function publishing(outcome: Outcome, events: readonly CloudEvent[], publisher: EventPublisher | undefined, now: Date): Outcome {
  if (!publisher) return outcome;
  const due = events.filter(
    ({ id, time }) => now.getTime() - Date.parse(time) < publishedWithinSeconds * 1000 && !publisher.hasAccepted(id),
  );
  return due.reduce((all, event) => all.effect(`publish ${event.id}`, async () => publisher.publish(event)), outcome);
}

type Subject = Pick<KubeObject, "kind"> & { metadata: { namespace: string; name: string; uid: string } };

/** The attributes of an event about an object. `what` distinguishes the events about one object. */
export function eventAbout({ kind, metadata: { namespace, name, uid } }: Subject, what: string, time: string) {
  const { plural } = kinds.find((each) => each.kind === kind) ?? { plural: kind.toLowerCase() };
  return {
    specversion: "1.0" as const,
    id: `${uid}/${what}`,
    source: `/apis/${apiVersion}/namespaces/${namespace}/${plural}`,
    subject: name,
    time,
    datacontenttype: "application/json" as const,
  };
}

export const objectOfEvent = ({ metadata: { namespace, name, uid } }: Subject) => ({ namespace, name, uid });

/** How a bounded object ended, and when; undefined while it goes on. */
export function endOf(object: KubeObject): { result: "Succeeded" | "Failed"; reason: string; time: string } | undefined {
  if (!isTerminal(object)) return undefined;
  const result = isTrue(object, ConditionType.Succeeded) ? ConditionType.Succeeded : ConditionType.Failed;
  return { result, reason: getCondition(object, result)?.reason ?? result, time: timestamp(endedAt(object)) };
}
