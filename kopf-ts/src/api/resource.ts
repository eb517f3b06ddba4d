import type { DynamicObject, KubeObject } from "./object.ts";
import type { ObjectSchema, WrittenShape } from "./schema.ts";
import type { WrittenAs } from "./written.ts";

/** A column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: "string" | "integer" | "number" | "boolean" | "date";
  /** Such as `.spec.size`. */
  readonly jsonPath: string;
  readonly description?: string;
  /** Above 0: only with `-o wide`. */
  readonly priority?: number;
}

/** How a kind is addressed over HTTP. `T` is the type of its objects. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** Empty for the core group. */
  readonly group: string;
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
  /** Parses objects read from the server: zod's, or anything with such a `parse`. */
  readonly schema?: ObjectSchema;
  /** For its definition: `widget`. Default: the kind in lower case. */
  readonly singular?: string;
  /** For its definition: what one may say to kubectl in place of the plural. */
  readonly shortNames?: readonly string[];
  /** For its definition: groups of kinds, such as `all`. */
  readonly categories?: readonly string[];
  /** For its definition: the columns of `kubectl get`. */
  readonly columns?: readonly PrinterColumn[];
  /** For its definition: where `kubectl scale` finds the numbers. */
  readonly scale?: { readonly specReplicasPath: string; readonly statusReplicasPath: string; readonly labelSelectorPath?: string };
  /** Never set: only carries the type. */
  readonly objects?: T;
}

/** What tells of a kind. */
export type ResourceDefinition = Omit<Resource, "objects" | "namespaced" | "schema"> & { namespaced?: boolean };

/**
 * A kind. Its objects are typed by a schema or by an interface.
 * With a schema, what is read from the server is parsed: an object that does not fit makes `get` and `list` throw
 * InvalidObjectError, and stays out of the caches until it fits. An interface is believed and never checked. Status,
 * patches and field paths are typed by the same definition; of a schema, by what it takes in (`z.input`).
 *
 * @param definition - `plural` as in the URL; `group` is empty for the core group; `namespaced: false` for a cluster-scoped kind.
 *   Short names, columns and the like are for `crdOf` of `kopf-ts/manifests`.
 *
 * @example By an interface:
 * ```ts
 * import { type DynamicObject, resource } from "kopf-ts";
 *
 * interface Widget extends DynamicObject {
 *   spec: { size: number };
 * }
 * const widgets = resource<Widget>({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
 * ```
 *
 * @example By a schema:
 * ```ts
 * import { resource } from "kopf-ts";
 * import { z } from "zod";
 *
 * const schema = z.object({ spec: z.object({ size: z.number().int().default(1) }) });
 * const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets", schema });
 * ```
 */
export function resource<S extends ObjectSchema>(
  definition: ResourceDefinition & { schema: S },
): Resource<KubeObject & ReturnType<S["parse"]> & WrittenAs<WrittenShape<S>>>;
export function resource<T extends KubeObject = DynamicObject>(definition: ResourceDefinition): Resource<T>;
export function resource(definition: ResourceDefinition & { schema?: ObjectSchema }): Resource {
  return Object.freeze({ namespaced: true, ...definition });
}

/** `group/version`, as in a manifest; only the version for the core group. */
export function apiVersionOf({ group, version }: Pick<Resource, "group" | "version">): string {
  return group ? `${group}/${version}` : version;
}

/** Whether this kind is part of Kubernetes itself: its groups are unnamed, without a dot, or end in `.k8s.io`. */
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

/** Pods, in version v1. */
export const pods = builtin("", "Pod", "pods");
/** Services, in version v1. */
export const services = builtin("", "Service", "services");
/** ConfigMaps, in version v1. */
export const configMaps = builtin("", "ConfigMap", "configmaps");
/** Secrets, in version v1. */
export const secrets = builtin("", "Secret", "secrets");
/** PersistentVolumeClaims, in version v1. */
export const persistentVolumeClaims = builtin("", "PersistentVolumeClaim", "persistentvolumeclaims");
/** Namespaces, in version v1. */
export const namespaces = builtin("", "Namespace", "namespaces", false);
/** Nodes, in version v1. */
export const nodes = builtin("", "Node", "nodes", false);
/** Events (events.k8s.io), in version v1. */
export const events = builtin("events.k8s.io", "Event", "events");
/** Leases (coordination.k8s.io), in version v1. */
export const leases = builtin("coordination.k8s.io", "Lease", "leases");
/** Jobs, in version v1. */
export const jobs = builtin("batch", "Job", "jobs");
/** Deployments, in version v1. */
export const deployments = builtin("apps", "Deployment", "deployments");
/** StatefulSets, in version v1. */
export const statefulSets = builtin("apps", "StatefulSet", "statefulsets");
/** NetworkPolicies, in version v1. */
export const networkPolicies = builtin("networking.k8s.io", "NetworkPolicy", "networkpolicies");
/** EndpointSlices, in version v1. */
export const endpointSlices = builtin("discovery.k8s.io", "EndpointSlice", "endpointslices");

/** The kinds above: those that need no discovery. */
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
