import { events, isBuiltin, leases, type Resource } from "../api/resource.ts";

/** What RBAC lets do with objects. */
export type Verb = "get" | "list" | "watch" | "create" | "update" | "patch" | "delete" | "deletecollection";

/** Something that a program does with a resource, or with a subresource such as `status`. */
export interface Permission {
  readonly resource: Pick<Resource, "group" | "plural" | "namespaced">;
  readonly subresource?: "status" | "finalizers" | undefined;
  readonly verbs: readonly Verb[];
  /** The one namespace in which it does that; undefined: wherever the program looks. */
  readonly namespace?: string | undefined;
}

/** What fills a cache. */
export const reading: readonly Verb[] = ["list", "watch"];

/** What an Outcome may do with children: apply, create (and look at what is there already), delete. */
export const writingChildren: readonly Verb[] = ["get", "create", "patch", "delete"];

/** What handlers, and finalizers, do with the objects that they are for. */
export const patching: readonly Verb[] = ["get", "patch"];

/** What is done with the kind that a controller looks after. A kind that Kubernetes brings has a status of its own and gets no finalizer unless that is said. */
export function lookingAfter(
  resource: Resource,
  { verbs, metadataOnly }: { verbs?: readonly Verb[]; metadataOnly?: boolean },
): Permission[] {
  const permissions: Permission[] = [{ resource, verbs: verbs ?? (isBuiltin(resource) ? [] : patching) }];
  if (!isBuiltin(resource) && !metadataOnly) permissions.push({ resource, subresource: "status", verbs: ["update"] });
  return permissions;
}

/** To name an object as an owner that blocks deletion, where the cluster asks for that. */
export const owning = (resource: Resource): Permission => ({ resource, subresource: "finalizers", verbs: ["update"] });

/** The framework tells of what happens in Events. */
export const telling: Permission = { resource: events, verbs: ["create", "patch"] };

/** Leader election, in the namespace of its Lease. */
export const electing = (namespace: string | undefined): Permission => ({
  resource: leases,
  verbs: ["get", "create", "update"],
  namespace,
});
