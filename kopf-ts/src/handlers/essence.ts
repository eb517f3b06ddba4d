import { hash } from "node:crypto";
import type { KubeObject } from "../api/object.ts";
import { valueAt } from "./diff.ts";

/**
 * What handlers of changes see: the whole object but its status (except the fields that one of them is registered for),
 * the server's metadata and the framework's own annotations.
 */
export interface Essence {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>>; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: unknown;
  readonly [field: string]: unknown;
}

const kubectlAnnotation = "kubectl.kubernetes.io/last-applied-configuration";

/** Shares its parts with the object; `prefix`: annotations with it are left out. */
export function essenceOf(object: KubeObject, prefix: string): Essence {
  const { apiVersion: _apiVersion, kind: _kind, status: _status, metadata, ...rest } = object;
  const labels = nonEmpty(metadata.labels ?? {});
  const annotations = nonEmpty(
    Object.fromEntries(
      Object.entries(metadata.annotations ?? {}).filter(([name]) => name !== kubectlAnnotation && !name.startsWith(`${prefix}/`)),
    ),
  );
  if (!labels && !annotations) return rest;
  return { ...rest, metadata: { ...(labels ? { labels } : {}), ...(annotations ? { annotations } : {}) } };
}

/** The essence with these fields of the object's status, which is otherwise left out. */
export function withStatus(essence: Essence, object: KubeObject, fields: readonly (readonly string[])[]): Essence {
  let status: unknown;
  for (const [, ...steps] of fields) status = planted(status, steps, valueAt(object.status, steps));
  return status === undefined ? essence : { ...essence, status };
}

/** The tree with the value at the path; the same tree for an undefined value. */
function planted(tree: unknown, [step, ...rest]: readonly string[], value: unknown): unknown {
  if (value === undefined) return tree;
  if (step === undefined) return value;
  const there = (tree ?? {}) as Record<string, unknown>;
  return { ...there, [step]: planted(there[step], rest, value) };
}

/** Equal for equal essences, whatever the order of their fields. */
export function digestOf(essence: Essence): string {
  return hash("sha1", JSON.stringify(essence, sorted)).slice(0, 16);
}

function sorted(_name: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function nonEmpty<T extends object>(value: T): T | undefined {
  return Object.keys(value).length > 0 ? value : undefined;
}
