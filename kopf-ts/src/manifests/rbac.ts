import { nameOf } from "../api/resource.ts";
import type { Permission, Verb } from "../engine/permission.ts";

/** A Manager, an Operator, or anything else that says what it does. */
export interface Program {
  /** Everything that it declares to do. */
  readonly permissions: readonly Permission[];
  /** Where it looks; empty: everywhere. */
  readonly namespaces: readonly string[];
}

/** `rbac.authorization.k8s.io/v1`, PolicyRule. */
export interface PolicyRule {
  apiGroups: string[];
  resources: string[];
  verbs: Verb[];
}

/** A manifest of `rbac.authorization.k8s.io/v1`, or a ServiceAccount. */
export interface RbacManifest {
  apiVersion: string;
  kind: "ServiceAccount" | "ClusterRole" | "ClusterRoleBinding" | "Role" | "RoleBinding";
  metadata: { name: string; namespace?: string };
  rules?: PolicyRule[];
  roleRef?: { apiGroup: string; kind: string; name: string };
  subjects?: { kind: string; name: string; namespace: string }[];
}

/** Where a program runs: the name of its ServiceAccount and roles, and their namespace. */
export interface Placement {
  readonly name: string;
  readonly namespace: string;
}

const api = "rbac.authorization.k8s.io";
const order: readonly Verb[] = ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"];

/**
 * The ServiceAccount of a program, with the roles and bindings that it needs for what it declares: what it watches, owns,
 * handles, elects with, and what it names with `.uses(…)`. A ClusterRole, or Roles in the namespaces to which the program
 * is restricted; the Lease is in a Role of its own. `verbs` of `.for`, `.owns` and `.watches` narrows what is granted.
 *
 * @example
 * ```ts
 * import { configMaps, Manager, ready, resource, secrets } from "kopf-ts";
 * import { rbacOf, yamlOf } from "kopf-ts/manifests";
 *
 * declare const manager: Manager;
 * const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
 * manager
 *   .controller("widget")
 *   .for(widgets)
 *   .owns(configMaps, { verbs: ["create", "patch"] })
 *   .uses(secrets, "get")
 *   .complete(() => ready());
 * console.log(yamlOf(rbacOf(manager, { name: "widget-operator", namespace: "widget-system" })));
 * ```
 */
export function rbacOf(program: Program, { name, namespace }: Placement): RbacManifest[] {
  const { permissions, namespaces } = program;
  const everywhere = permissions.filter(({ namespace: only }) => only === undefined);
  const isRestricted = namespaces.length > 0;
  const inCluster = everywhere.filter(({ resource }) => !isRestricted || !resource.namespaced);
  const inNamespaces = everywhere.filter(({ resource }) => isRestricted && resource.namespaced);
  const home = permissions.filter(({ namespace: only }) => only !== undefined);
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  return [
    { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace } },
    ...role({ name }, inCluster, subjects),
    ...namespaces.flatMap((each) => role({ name, namespace: each }, inNamespaces, subjects)),
    ...[...Map.groupBy(home, ({ namespace: at }) => at || namespace)].flatMap(([at, own]) =>
      role({ name: `${name}-leases`, namespace: at }, own, subjects),
    ),
  ];
}

function role(metadata: RbacManifest["metadata"], permissions: readonly Permission[], subjects: RbacManifest["subjects"]): RbacManifest[] {
  const rules = rulesOf(permissions);
  if (rules.length === 0) return [];
  const kind = metadata.namespace === undefined ? "ClusterRole" : "Role";
  return [
    { apiVersion: `${api}/v1`, kind, metadata, rules },
    {
      apiVersion: `${api}/v1`,
      kind: `${kind}Binding`,
      metadata,
      roleRef: { apiGroup: api, kind, name: metadata.name },
      subjects: subjects ?? [],
    },
  ];
}

/** The rules that allow all of this and nothing more: resources of one group with the same verbs share a rule. */
export function rulesOf(permissions: readonly Permission[]): PolicyRule[] {
  const verbs = new Map<string, { group: string; name: string; verbs: Set<Verb> }>();
  for (const { resource, subresource, verbs: asked } of permissions) {
    const name = subresource ? `${resource.plural}/${subresource}` : resource.plural;
    const id = `${nameOf(resource)}/${subresource ?? ""}`;
    const known = verbs.get(id) ?? { group: resource.group, name, verbs: new Set<Verb>() };
    for (const verb of asked) known.verbs.add(verb);
    if (known.verbs.size > 0) verbs.set(id, known);
  }
  const rules = new Map<string, PolicyRule>();
  for (const { group, name, verbs: granted } of verbs.values()) {
    const sorted = order.filter((verb) => granted.has(verb));
    const rule = rules.get(`${group} ${sorted}`) ?? { apiGroups: [group], resources: [], verbs: sorted };
    rule.resources.push(name);
    rules.set(`${group} ${sorted}`, rule);
  }
  return [...rules.values()];
}
