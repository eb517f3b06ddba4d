import { isConflict, isInvalid, isNotFound } from "../api/api-error.ts";
import type { Client } from "../api/client.ts";
import type { KubeObject } from "../api/object.ts";
import type { JsonPatchOperation } from "../api/requests.ts";
import type { Resource } from "../api/resource.ts";

/**
 * The JSON patch that gives an object the wanted finalizers, or undefined if it has them. It tests the list it was
 * computed from, so that it never undoes what others did meanwhile: the server then refuses it (422 Invalid).
 * None is added to an object that is being deleted: the server forbids that.
 */
export function finalizerPatch(object: KubeObject, wished: Readonly<Record<string, boolean>>): readonly JsonPatchOperation[] | undefined {
  const current = object.metadata.finalizers ?? [];
  const kept = current.filter((name) => wished[name] !== false);
  const added = object.metadata.deletionTimestamp ? [] : Object.keys(wished).filter((name) => wished[name] && !current.includes(name));
  if (added.length === 0 && kept.length === current.length) return undefined;
  const path = "/metadata/finalizers";
  const identity: JsonPatchOperation[] = object.metadata.uid ? [{ op: "test", path: "/metadata/uid", value: object.metadata.uid }] : [];
  const value = [...kept, ...added];
  if (current.length === 0) {
    // Without a list there is none to test; the resource version shows whether that is still so.
    return [
      { op: "test", path: "/metadata/resourceVersion", value: object.metadata.resourceVersion },
      ...identity,
      { op: "add", path, value },
    ];
  }
  return [{ op: "test", path, value: current }, ...identity, value.length > 0 ? { op: "replace", path, value } : { op: "remove", path }];
}

/** Gives the object the wanted finalizers. `conflict`: another client wrote first. */
export async function editFinalizers(
  { client, resource }: { readonly client: Client; readonly resource: Resource },
  object: KubeObject,
  wished: Readonly<Record<string, boolean>>,
  signal: AbortSignal,
): Promise<KubeObject | "conflict" | "gone"> {
  const patch = finalizerPatch(object, wished);
  if (!patch) return object;
  try {
    return await client.patch(resource, object.metadata, patch, { signal });
  } catch (error) {
    if (isNotFound(error)) return "gone";
    if (isConflict(error)) return "conflict";
    // The server returns 422 for a JSON patch whose test fails, and for one that a policy or a schema refuses: only the first is a lost race.
    if (isInvalid(error) && hasMoved(object, await client.find(resource, object.metadata, { signal }))) return "conflict";
    throw error;
  }
}

function hasMoved({ metadata }: KubeObject, live: KubeObject | undefined): boolean {
  return live?.metadata.uid !== metadata.uid || live?.metadata.resourceVersion !== metadata.resourceVersion;
}
