import { stringify } from "yaml";
import type { Resource } from "../api/resource.ts";
import { type CustomResourceDefinition, crdOf } from "./crd.ts";
import { type Placement, type Program, type RbacManifest, rbacOf } from "./rbac.ts";

/** Where a program runs, and which kinds it brings. */
export interface ManifestOptions extends Placement {
  /** The kinds whose definitions are this program's. Others that it watches belong to somebody else. */
  readonly kinds?: readonly Resource[];
}

/** What a cluster must have before a program can run there: definitions of its kinds, and its permissions. */
export function manifestsOf(program: Program, options: ManifestOptions): (CustomResourceDefinition | RbacManifest)[] {
  return [...(options.kinds ?? []).map(crdOf), ...rbacOf(program, options)];
}

/** Manifests as `kubectl apply -f -` takes them. */
export function yamlOf(manifests: readonly object[]): string {
  return manifests.map((manifest) => stringify(manifest, { lineWidth: 0, aliasDuplicateObjects: false })).join("---\n");
}

/**
 * Writes the manifests of a program to standard output. No cluster is asked.
 *
 * @example A program that prints what it needs where it is asked to.
 * ```ts
 * import { configMaps, Operator, resource } from "kopf-ts";
 * import { printManifests } from "kopf-ts/manifests";
 *
 * const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
 * const operator = new Operator({ leaderElection: { name: "widget-operator" } });
 * operator.on.create(widgets, ({ patch }) => void (patch.status.phase = "made"));
 * operator.uses(configMaps, "get", "create");
 *
 * const placement = { name: "widget-operator", namespace: "widget-system", kinds: [widgets] };
 * if (process.argv.includes("--print-manifests")) printManifests(operator, placement);
 * else await operator.run();
 * ```
 */
export function printManifests(program: Program, options: ManifestOptions): void {
  process.stdout.write(yamlOf(manifestsOf(program, options)));
}
