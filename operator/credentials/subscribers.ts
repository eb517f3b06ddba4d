import type { EventSubscriber } from "@rune/clients/nats/nats";
import type { OperatorConfig } from "@rune/controllers/shared/config";
import { label } from "@rune/crds/words/labels";
import { type Client, secrets } from "kopf-ts";
import { isSubscriberOf, type Subscriber, subscriberUser } from "./nats-users.ts";

type Wanted = NonNullable<OperatorConfig["events"]>["subscribers"][number];

/**
 * Who may listen to events, each with a Secret that holds what `nats sub` needs: `nats.creds`, `subject`, `url`, the last as it is now. A
 * Secret that is gone, or whose credentials another account signed, is created again, with another subject: the holder of the old credentials
 * receives nothing any more.
 */
export async function ensureSubscribers(
  client: Client,
  { operatorNamespace, events, nats }: OperatorConfig,
  accountSeed: string,
): Promise<EventSubscriber[]> {
  const ensured: EventSubscriber[] = [];
  for (const { name, secret, namespace } of events?.subscribers ?? []) {
    const at = { namespace: operatorNamespace, name: secret };
    const stored = await storedAt(client, at);
    const user = stored && isSubscriberOf(accountSeed, stored) ? stored : await subscriberUser({ accountSeed, name });
    if (user !== stored || stored.url !== nats.url)
      await client.apply(secrets, secretOf(at, name, { ...user, url: nats.url }), { fieldManager: "rune-operator" });
    ensured.push({ name, subject: user.subject, namespace });
  }
  return ensured;
}

async function storedAt(client: Client, at: { namespace: string; name: string }): Promise<(Subscriber & { url: string }) | undefined> {
  const data = (await client.find(secrets, at))?.data ?? {};
  const text = (entry: string) => Buffer.from(data[entry] ?? "", "base64").toString();
  return data["nats.creds"] && data.subject ? { credentials: text("nats.creds"), subject: text("subject"), url: text("url") } : undefined;
}

const secretOf = (
  at: { namespace: string; name: string },
  name: Wanted["name"],
  { credentials, subject, url }: Subscriber & { url: string },
) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { ...at, labels: { "app.kubernetes.io/managed-by": "rune-operator", [label.eventSubscriber]: name } },
  data: Object.fromEntries(
    Object.entries({ "nats.creds": credentials, subject, url }).map(([entry, value]) => [entry, Buffer.from(value).toString("base64")]),
  ),
});
