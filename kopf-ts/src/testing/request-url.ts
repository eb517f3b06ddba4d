import type { KubeObject } from "../api/object.ts";
import { nameOf } from "../api/resource.ts";

/** The target of a path. */
export interface Target {
  readonly group: string;
  readonly version: string;
  readonly table: string;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: string;
}

/** `/api/v1/…` or `/apis/group/version/…`, then perhaps `namespaces/x`, then plural, name, subresource. */
export function targetOf(path: string): Target {
  const [root, ...parts] = path.split("/").slice(1).map(decodeURIComponent);
  const group = root === "apis" ? (parts.shift() ?? "") : "";
  const version = parts.shift() ?? "";
  const isScoped = parts[0] === "namespaces" && parts.length > 2 && parts[2] !== "status";
  const namespace = isScoped ? (parts[1] ?? "") : "";
  const [plural = "", name = "", subresource = ""] = isScoped ? parts.slice(2) : parts;
  return { group, version, table: plural && nameOf({ plural, group }), namespace, name, subresource };
}

/** Equality-based label selectors, and `metadata.name` and `metadata.namespace` as fields. */
export function selectorOf(query: URLSearchParams): (object: KubeObject) => boolean {
  const labels = pairs(query.get("labelSelector"));
  const fields = pairs(query.get("fieldSelector"));
  return ({ metadata }) =>
    labels.every(([name, value]) => (value === undefined ? name in (metadata.labels ?? {}) : metadata.labels?.[name] === value)) &&
    fields.every(([name, value]) => (metadata as unknown as Record<string, unknown>)[name.replace("metadata.", "")] === value);
}

function pairs(selector: string | null): [string, string | undefined][] {
  return (selector ?? "")
    .split(",")
    .filter((term) => term !== "")
    .map((term) => {
      const [name = "", value] = term.split(/==?/);
      return [name.trim(), value?.trim()];
    });
}
