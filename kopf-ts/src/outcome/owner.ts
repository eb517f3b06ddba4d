import { describe, groupOf, type KubeObject, type NewObject, type OwnerReference } from "../api/object.ts";

/**
 * A reference that makes `owner` the owner of another object.
 *
 * @param options - `controller` (default true): the one owner that manages it. `blockOwnerDeletion` (default true): foreground deletion waits for it.
 * @throws Error if the owner has no UID yet.
 *
 * @example
 * ```ts
 * import { type KubeObject, ownerReference } from "kopf-ts";
 *
 * declare const widget: KubeObject;
 * const { namespace, name } = widget.metadata;
 * const child = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name, ownerReferences: [ownerReference(widget)] } };
 * ```
 */
export function ownerReference(owner: KubeObject, options: { controller?: boolean; blockOwnerDeletion?: boolean } = {}): OwnerReference {
  const { uid, name } = owner.metadata;
  if (!uid) throw new Error(`${describe(owner)} has no UID yet, so nothing can be owned by it: create it first`);
  const { controller = true, blockOwnerDeletion = true } = options;
  return { apiVersion: owner.apiVersion, kind: owner.kind, name, uid, controller, blockOwnerDeletion };
}

/** A copy of `child` controlled by `owner`; refused if another controller has it, or if they could never belong together. */
export function adopt<T extends NewObject>(owner: KubeObject, child: T): T {
  refuseForeignNamespace(owner, child);
  const current = controllerOf(child);
  if (current && current.uid !== owner.metadata.uid) {
    throw new Error(`${describe(child)} is already controlled by ${current.kind} ${current.name}; ${describe(owner)} cannot adopt it`);
  }
  const others = (child.metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid);
  return { ...child, metadata: { ...child.metadata, ownerReferences: [...others, ownerReference(owner)] } };
}

/** `adopt`, in place: as in controller-runtime. */
export function setControllerReference(owner: KubeObject, child: NewObject): void {
  child.metadata = adopt(owner, child).metadata;
}

/** The garbage collector deletes a child whose owner it does not find: in the child's namespace, or among the cluster-scoped. */
function refuseForeignNamespace(owner: KubeObject, child: NewObject): void {
  const { namespace } = owner.metadata;
  if (namespace === undefined || namespace === child.metadata.namespace) return;
  const where = child.metadata.namespace ? `is in namespace ${child.metadata.namespace}` : "has no namespace";
  throw new Error(`${describe(child)} ${where}, so ${describe(owner)} cannot own it: both must be in one namespace`);
}

/** The owner that manages this object, if it has one. */
export function controllerOf(object: NewObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true);
}

/** By UID: an object that was recreated under the same name is not the owner. */
export function isControlledBy(object: KubeObject, owner: KubeObject): boolean {
  return owner.metadata.uid !== undefined && controllerOf(object)?.uid === owner.metadata.uid;
}

/** Whether a reference is to this kind; versions of one group are the same kind. */
export function refersTo(reference: OwnerReference, kind: { group: string; kind: string }): boolean {
  return reference.kind === kind.kind && groupOf(reference.apiVersion) === kind.group;
}
