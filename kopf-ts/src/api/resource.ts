import type { DynamicObject, KubeObject } from "./object.ts";
import type { ObjectSchema } from "./schema.ts";

/** How a kind is addressed over HTTP. `T` is the shape of its objects. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Parses what is read from the server: zod's, or anything with such a `parse`. */
  readonly schema?: ObjectSchema;
  /** Never set: only carries the type. */
  readonly objects?: T;
}

type Definition = Omit<Resource, "objects" | "namespaced" | "schema"> & { namespaced?: boolean };

/**
 * A kind, typed by a schema (then what is read from the server is parsed with it: an object that does not fit is an
 * error on `get` and `list`, and is kept out of caches with an error in the log), or by an interface that is believed.
 */
export function resource<S extends ObjectSchema>(definition: Definition & { schema: S }): Resource<KubeObject & ReturnType<S["parse"]>>;
export function resource<T extends KubeObject = DynamicObject>(definition: Definition): Resource<T>;
export function resource(definition: Definition & { schema?: ObjectSchema }): Resource {
  return Object.freeze({ namespaced: true, ...definition });
}

export function apiVersionOf({ group, version }: Pick<Resource, "group" | "version">): string {
  return group ? `${group}/${version}` : version;
}

/** Whether Kubernetes itself brings this kind: its groups are unnamed, without a dot, or its own. */
export function isBuiltin({ group }: Pick<Resource, "group">): boolean {
  return !group.includes(".") || group.endsWith(".k8s.io");
}

/** `plural.group`, as in `kubectl get` and in RBAC. */
export function nameOf({ plural, group }: Pick<Resource, "plural" | "group">): string {
  return group ? `${plural}.${group}` : plural;
}

/** The path of a collection, an object, or one of its subresources. */
export function pathOf(resource: Resource, at: { namespace?: string; name?: string; subresource?: string } = {}): string {
  const root = resource.group ? `/apis/${resource.group}/${resource.version}` : `/api/${resource.version}`;
  const namespace = resource.namespaced && at.namespace ? `/namespaces/${encodeURIComponent(at.namespace)}` : "";
  const name = at.name ? `/${encodeURIComponent(at.name)}` : "";
  const subresource = at.subresource ? `/${at.subresource}` : "";
  return `${root}${namespace}/${resource.plural}${name}${subresource}`;
}

const builtin = (group: string, kind: string, plural: string, namespaced = true) =>
  resource<DynamicObject>({ group, version: "v1", kind, plural, namespaced });

export const pods = builtin("", "Pod", "pods");
export const services = builtin("", "Service", "services");
export const configMaps = builtin("", "ConfigMap", "configmaps");
export const secrets = builtin("", "Secret", "secrets");
export const persistentVolumeClaims = builtin("", "PersistentVolumeClaim", "persistentvolumeclaims");
export const namespaces = builtin("", "Namespace", "namespaces", false);
export const nodes = builtin("", "Node", "nodes", false);
export const events = builtin("events.k8s.io", "Event", "events");
export const leases = builtin("coordination.k8s.io", "Lease", "leases");
export const jobs = builtin("batch", "Job", "jobs");
export const deployments = builtin("apps", "Deployment", "deployments");
export const statefulSets = builtin("apps", "StatefulSet", "statefulsets");
export const networkPolicies = builtin("networking.k8s.io", "NetworkPolicy", "networkpolicies");
export const endpointSlices = builtin("discovery.k8s.io", "EndpointSlice", "endpointslices");

export const builtins: readonly Resource<DynamicObject>[] = [
  pods,
  services,
  configMaps,
  secrets,
  persistentVolumeClaims,
  namespaces,
  nodes,
  events,
  leases,
  jobs,
  deployments,
  statefulSets,
  networkPolicies,
  endpointSlices,
];
