import { type CloudEvent, toldWithinSeconds } from "@rune/crds/contracts/cloudevents";
import { kinds } from "@rune/crds/kinds/kinds";
import { ConditionType } from "@rune/crds/words/conditions";
import { apiVersion } from "@rune/crds/words/group";
import { getCondition, isTerminal, isTrue, type KubeObject, type Outcome, timestamp } from "kopf-ts";
import { endedAt } from "./ended.ts";

/** Where events go. Nobody waits for it: what can't be told now is told when NATS is back. */
export interface Announcer {
  /** Whether the event of this id was taken since the operator started. */
  isTold(id: string): boolean;
  tell(event: CloudEvent): void;
}

/**
 * Lets an outcome tell what has happened as well. What follows from an object's status is due in each of its passes for a day, so that a crash
 * loses nothing; the stream knows ids for longer, so that nothing is told twice.
 */
export function announcing(outcome: Outcome, events: readonly CloudEvent[], announcer: Announcer | undefined, now: Date): Outcome {
  if (!announcer) return outcome;
  const due = events.filter(({ id, time }) => now.getTime() - Date.parse(time) < toldWithinSeconds * 1000 && !announcer.isTold(id));
  return due.reduce((all, event) => all.effect(`announce ${event.id}`, async () => announcer.tell(event)), outcome);
}

type Told = Pick<KubeObject, "kind"> & { metadata: { namespace: string; name: string; uid: string } };

/** The attributes of an event about an object. `what` tells apart all that ever happens to one object. */
export function eventAbout({ kind, metadata: { namespace, name, uid } }: Told, what: string, time: string) {
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

export const objectOfEvent = ({ metadata: { namespace, name, uid } }: Told) => ({ namespace, name, uid });

/** How a bounded object ended, and when; undefined while it goes on. */
export function endOf(object: KubeObject): { result: "Succeeded" | "Failed"; reason: string; time: string } | undefined {
  if (!isTerminal(object)) return undefined;
  const result = isTrue(object, ConditionType.Succeeded) ? ConditionType.Succeeded : ConditionType.Failed;
  return { result, reason: getCondition(object, result)?.reason ?? result, time: timestamp(endedAt(object)) };
}
