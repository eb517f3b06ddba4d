import type { KubeObject } from "./object.ts";
import type { JsonPatchOperation } from "./requests.ts";

/** One entry of `metadata.managedFields`. */
export interface ManagedFieldsEntry {
  readonly manager: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion?: string;
  readonly time?: string;
  readonly fieldsType?: string;
  readonly fieldsV1?: FieldsV1;
  readonly subresource?: string;
}

/** A tree of the fields that a manager owns (`metav1.FieldsV1`). */
export type FieldsV1 = { readonly [field: string]: FieldsV1 };

/**
 * The fields of several managers as one manager's applied fields (client-go: `csaupgrade`): afterwards, what that
 * manager no longer applies is removed, including fields once written by an update or under another name. Entries of
 * subresources are kept. Returns the same list if there is nothing to take over.
 */
export function mergeFieldManagers(
  entries: readonly ManagedFieldsEntry[],
  managers: { readonly from: readonly string[]; readonly to: string },
): readonly ManagedFieldsEntry[] {
  const isOld = (entry: ManagedFieldsEntry): boolean => {
    const isTarget = entry.manager === managers.to && entry.operation === "Apply";
    return !entry.subresource && !isTarget && managers.from.includes(entry.manager);
  };
  const old = entries.filter(isOld);
  const [first] = old;
  if (!first) return entries;
  const target = entries.find((entry) => entry.manager === managers.to && entry.operation === "Apply" && !entry.subresource);
  const base: ManagedFieldsEntry = target ?? { ...first, manager: managers.to, operation: "Apply" };
  const fieldsV1 = old.reduce((fields, entry) => union(fields, entry.fieldsV1 ?? {}), base.fieldsV1 ?? {});
  return [...entries.filter((entry) => entry !== target && !isOld(entry)), { ...base, fieldsV1 }];
}

/** The JSON patch for it, refused by the server if the object has changed meanwhile; undefined if there is nothing to do. */
export function fieldManagerPatch(
  object: KubeObject,
  managers: { readonly from: readonly string[]; readonly to: string },
): readonly JsonPatchOperation[] | undefined {
  const entries = (object.metadata.managedFields ?? []) as readonly ManagedFieldsEntry[];
  const merged = mergeFieldManagers(entries, managers);
  if (merged === entries) return undefined;
  return [
    { op: "replace", path: "/metadata/managedFields", value: merged },
    // The server returns a conflict for a version that is not the newest.
    { op: "replace", path: "/metadata/resourceVersion", value: object.metadata.resourceVersion },
  ];
}

function union(one: FieldsV1, other: FieldsV1): FieldsV1 {
  const fields: Record<string, FieldsV1> = { ...one };
  for (const [name, value] of Object.entries(other)) fields[name] = union(fields[name] ?? {}, value);
  return fields;
}
