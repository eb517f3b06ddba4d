import { type Client, isAlreadyExists, isConflict, secrets } from "kopf-ts";
import { completeKeys } from "./keys.ts";

export type Keys = Readonly<Record<string, string>>;

/**
 * The installation's keys, created once and then only completed, because registry, NATS and loaders trust them.
 * Replicas that start at the same time agree on the ones that were stored first.
 */
export async function ensureKeys(client: Client, at: { namespace: string; name: string }): Promise<Keys> {
  for (;;) {
    const stored = await client.find(secrets, at);
    const existing = decoded(stored?.data ?? {});
    const keys = await completeKeys(existing);
    const missing = Object.fromEntries(Object.entries(keys).filter(([name, value]) => existing[name] !== value));
    if (stored && Object.keys(missing).length === 0) return keys;
    try {
      if (stored)
        await client.patch(secrets, at, { metadata: { resourceVersion: stored.metadata.resourceVersion }, data: encoded(missing) });
      else await client.create(secrets, secretOf(at, keys));
      return keys;
    } catch (error) {
      if (!isAlreadyExists(error) && !isConflict(error)) throw error;
    }
  }
}

const secretOf = (at: { namespace: string; name: string }, keys: Keys) => ({
  apiVersion: "v1",
  kind: "Secret",
  metadata: { ...at, labels: { "app.kubernetes.io/managed-by": "rune-operator" } },
  data: encoded(keys),
});

const encoded = (keys: Keys) =>
  Object.fromEntries(Object.entries(keys).map(([name, value]) => [name, Buffer.from(value).toString("base64")]));
const decoded = (data: Keys): Record<string, string> =>
  Object.fromEntries(Object.entries(data).map(([name, value]) => [name, Buffer.from(value, "base64").toString()]));
