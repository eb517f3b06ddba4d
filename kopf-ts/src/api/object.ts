/** A reference from an object to the one it belongs to. */
export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean | undefined;
  blockOwnerDeletion?: boolean | undefined;
}

/** The metadata of an object (`metav1.ObjectMeta`). Times are RFC 3339. */
export interface ObjectMeta {
  name: string;
  generateName?: string | undefined;
  namespace?: string | undefined;
  uid?: string | undefined;
  resourceVersion?: string | undefined;
  generation?: number | undefined;
  creationTimestamp?: string | undefined;
  deletionTimestamp?: string | undefined;
  deletionGracePeriodSeconds?: number | undefined;
  labels?: Record<string, string> | undefined;
  annotations?: Record<string, string> | undefined;
  finalizers?: string[] | undefined;
  ownerReferences?: OwnerReference[] | undefined;
  managedFields?: unknown[] | undefined;
}

/** The metadata of an object that is to be created: the server makes the name where there is only `generateName`. */
export type NewObjectMeta = ObjectMeta | (Omit<ObjectMeta, "name"> & { name?: undefined; generateName: string });

/** Any object of the Kubernetes API, as the raw JSON that the server sent. */
export interface KubeObject {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec?: unknown;
  status?: unknown;
}

/**
 * An object whose other fields are untyped: the type of the built-in resources, and of any manifest (every KubeObject
 * is assignable to it).
 */
export interface DynamicObject extends KubeObject {
  // biome-ignore lint/suspicious/noExplicitAny: as below
  spec?: any;
  // biome-ignore lint/suspicious/noExplicitAny: as below
  status?: any;
  // biome-ignore lint/suspicious/noExplicitAny: the built-in kinds' schemas are not restated here
  [field: string]: any;
}

/** An object that is to be created (every KubeObject and DynamicObject is assignable to it). */
export interface NewObject {
  apiVersion: string;
  kind: string;
  metadata: NewObjectMeta;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  [field: string]: any;
}

/** Where an object is: no namespace for cluster-scoped ones. */
export interface ObjectKey {
  namespace?: string | undefined;
  name: string;
}

/** `namespace/name`, or `name` for a cluster-scoped object (as client-go writes keys). */
export function keyOf({ namespace, name }: ObjectKey): string {
  return namespace ? `${namespace}/${name}` : name;
}

/** The inverse of `keyOf`. */
export function parseKey(key: string): ObjectKey {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** `Kind namespace/name`, for messages to people. */
export function describe({ kind, metadata }: NewObject): string {
  const { namespace, name, generateName } = metadata;
  return `${kind} ${keyOf({ namespace, name: name ?? `${generateName}…` })}`;
}

/** The group of an `apiVersion`: empty for the core group. */
export function groupOf(apiVersion: string): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}
