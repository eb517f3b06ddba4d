import { type Context, type DynamicObject, events } from "kopf-ts";
import { isPodless, podsOf } from "./problems.ts";

/** A controller that can't make its pods tries again at least this often, and each time says why. */
const freshSeconds = 1200;

/**
 * Why an owner of pods (a Job, a StatefulSet) gets none, or fewer than it wants: what admission said of the last one, be it a quota, a policy or a webhook.
 * Kubernetes tells it in an Event alone; undefined while nothing is wrong, or nothing is said.
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

/** When an Event was seen last: controllers of Kubernetes still tell it in two ways. */
function seenAt({ series, deprecatedLastTimestamp, eventTime, metadata }: DynamicObject): number {
  return Date.parse(series?.lastObservedTime ?? deprecatedLastTimestamp ?? eventTime ?? metadata.creationTimestamp ?? "");
}
