import { isDeepStrictEqual } from "node:util";
import { isJsonObject } from "../core/json-object.ts";

/** One difference between two states: what was added, changed or removed, and where. */
export interface DiffItem {
  readonly op: "add" | "change" | "remove";
  readonly path: readonly string[];
  readonly old: unknown;
  readonly new: unknown;
}

/** All differences between two states; empty if there are none. */
export type Diff = readonly DiffItem[];

export function stepsOf(field: string | readonly string[]): readonly string[] {
  return typeof field === "string" ? field.split(".") : field;
}

/** The value at the path; undefined if there is none. */
export function valueAt(value: unknown, steps: readonly string[]): unknown {
  let current = value;
  for (const step of steps) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Record<string, unknown>)[step];
  }
  return current;
}

/** The differences, at the deepest places that still are objects on both sides; lists are compared as a whole. */
export function diffOf(old: unknown, now: unknown, path: readonly string[] = []): Diff {
  if (Object.is(old, now)) return [];
  if (old === undefined) return [{ op: "add", path, old, new: now }];
  if (now === undefined) return [{ op: "remove", path, old, new: now }];
  if (!isJsonObject(old) || !isJsonObject(now)) return isDeepStrictEqual(old, now) ? [] : [{ op: "change", path, old, new: now }];
  const items: DiffItem[] = [];
  for (const name of new Set([...Object.keys(old), ...Object.keys(now)])) items.push(...diffOf(old[name], now[name], [...path, name]));
  return items;
}
