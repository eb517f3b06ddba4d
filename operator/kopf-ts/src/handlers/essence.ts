import { hash } from "node:crypto";
import type { KubeObject } from "../object.ts";

/** What handlers of changes look at: the whole object but its status, the server's metadata and the framework's own annotations. */
export interface Essence {
  readonly metadata?: { readonly labels?: Readonly<Record<string, string>>; readonly annotations?: Readonly<Record<string, string>> };
  readonly spec?: unknown;
  readonly [field: string]: unknown;
}

const kubectlAnnotation = "kubectl.kubernetes.io/last-applied-configuration";

/** Shares its parts with the object; `prefix`: whose annotations are not part of it. */
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
