import { kubectl } from "../../cluster/api.ts";
import type { Manifest } from "../../examples/shared/manifests.ts";
import { condition, isOver, type Seen } from "../../examples/shared/objects.ts";

/** An object of the cluster from the API: a kind's own type, or anything. */
export async function read<Kind>(kind: string, namespace: string, name: string): Promise<Kind> {
  return JSON.parse(await kubectl(["get", kind, name, "-n", namespace, "-o", "json"]));
}

export async function readAll<Kind>(kind: string, namespace: string, labels: Record<string, string> = {}): Promise<Kind[]> {
  const selector = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  const answer = await kubectl(["get", kind, "-n", namespace, "-o", "json", ...(selector.length > 0 ? ["-l", selector.join(",")] : [])]);
  return JSON.parse(answer).items;
}

/** Manifests as kubectl reads them from its input. */
export const listOf = (items: readonly Manifest[]) => JSON.stringify({ apiVersion: "v1", kind: "List", items });

export async function create(...manifests: Manifest[]): Promise<void> {
  await kubectl(["create", "-f", "-"], { input: listOf(manifests) });
}

/** Deletes objects that may not exist any more, and doesn't wait for them. */
export async function remove(kind: string, namespace: string, ...names: string[]): Promise<void> {
  if (names.length > 0) await kubectl(["delete", kind, "-n", namespace, "--ignore-not-found", "--wait=false", ...names]);
}

/** A name that no earlier run of the tests has used: specs are frozen, and what was sealed stays in the registry. */
export const fresh = (stem: string) => `${stem}-${Date.now().toString(36).slice(-6)}${Math.floor(Math.random() * 36).toString(36)}`;

const pollMilliseconds = 1000;

/**
 * Repeats `look` until `done`; after `minutes` it fails with the last result, which is where a person starts to look.
 */
export async function eventually<T>(what: string, look: () => Promise<T>, done: (seen: T) => boolean, minutes = 3): Promise<T> {
  const end = Date.now() + minutes * 60_000;
  for (;;) {
    const seen = await look();
    if (done(seen)) return seen;
    if (Date.now() > end) throw new Error(`${what}: not so after ${minutes} minutes; last seen: ${JSON.stringify(seen).slice(0, 2000)}`);
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
  }
}

type Object = Seen<unknown> & { metadata: { generation?: number }; status?: { observedGeneration?: number } };

export const reasonOf = (object: Seen<unknown>, type: string) => condition(object, type)?.reason;
export const messageOf = (object: Seen<unknown>, type: string) => condition(object, type)?.message ?? "";

/** Waits until an object has ended, successfully or not. */
export async function over<Kind extends Seen<unknown>>(kind: string, namespace: string, name: string, minutes = 6): Promise<Kind> {
  return await eventually(`${kind} ${name} has ended`, () => read<Kind>(kind, namespace, name), isOver, minutes);
}

/** The kstatus (as for Helm, Flux and Argo CD) of an object. */
export function kstatus(object: Object): "Current" | "Failed" | "InProgress" {
  if (object.status?.observedGeneration !== object.metadata.generation) return "InProgress";
  if (condition(object, "Stalled")?.status === "True") return "Failed";
  if (condition(object, "Reconciling")?.status === "True") return "InProgress";
  return condition(object, "Ready")?.status === "False" ? "InProgress" : "Current";
}
