import { type Context, type DynamicObject, events } from "kopf-ts";
import { isPodless, podsOf } from "./problems.ts";

/** A controller that can't create its pods retries at least this often, with an Event each time. */
const freshSeconds = 1200;

/**
 * Why an owner of pods (a Job, a StatefulSet) gets none, or too few: admission's message about the last one, such as a
 * quota, a policy or a webhook. Kubernetes reports it only in an Event; undefined if there is no problem or no message.
 */
export async function observeRefusal(
  owner: DynamicObject | undefined,
  pods: readonly DynamicObject[],
  { client, clock, signal }: Pick<Context, "client" | "clock" | "signal">,
): Promise<string | undefined> {
  const now = clock.now();
  if (!owner?.metadata.uid || podsOf(owner, pods).length >= (owner.spec?.replicas ?? 1) || !isPodless(owner, now)) return undefined;
  const fieldSelector = { "regarding.uid": owner.metadata.uid, reason: "FailedCreate" };
  const { namespace } = owner.metadata;
  const found = await client.list(events, { namespace, fieldSelector, signal }).catch(() => ({ items: [] }));
  const [last] = found.items.toSorted((one, other) => seenAt(other) - seenAt(one));
  return last && now.getTime() - seenAt(last) < freshSeconds * 1000 ? last.note : undefined;
}

/** Time at which an Event was last seen: Kubernetes' controllers use two formats. */
function seenAt({ series, deprecatedLastTimestamp, eventTime, metadata }: DynamicObject): number {
  return Date.parse(series?.lastObservedTime ?? deprecatedLastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? "");
}
