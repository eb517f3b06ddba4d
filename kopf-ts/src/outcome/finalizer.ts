import type { JsonPatchOperation } from "../api/client.ts";
import type { KubeObject } from "../api/object.ts";

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
