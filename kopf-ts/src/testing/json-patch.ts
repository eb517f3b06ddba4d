import { isDeepStrictEqual } from "node:util";
import type { JsonPatchOperation } from "../api/requests.ts";
import type { JsonObject } from "../core/json-object.ts";

/** A test operation failed, or a path does not exist. */
export class PatchRefused extends Error {}

/** RFC 6902 without `move` and `copy`. */
export function jsonPatch(target: unknown, operations: readonly JsonPatchOperation[]): unknown {
  const root = { root: structuredClone(target) } as JsonObject;
  for (const { op, path, value } of operations) {
    const steps = ["root", ...path.split("/").slice(1)].map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = steps.pop() as string;
    let parent: unknown = root;
    for (const step of steps) parent = (parent as JsonObject | undefined)?.[step];
    if (typeof parent !== "object" || parent === null) throw new PatchRefused(`${op} ${path}: there is no such place`);
    operate(parent as JsonObject | unknown[], last, { op, path, value });
  }
  return root.root;
}

function operate(parent: JsonObject | unknown[], last: string, { op, path, value }: JsonPatchOperation): void {
  const index = Array.isArray(parent) && last === "-" ? parent.length : last;
  const there = index in parent;
  if (op === "test") {
    if (!isDeepStrictEqual((parent as JsonObject)[last], value)) throw new PatchRefused(`test ${path}: the value is another one`);
  } else if (op === "add") {
    if (Array.isArray(parent)) parent.splice(Number(index), 0, value);
    else parent[last] = value;
  } else if (!there) {
    throw new PatchRefused(`${op} ${path}: there is nothing`);
  } else if (op === "replace") {
    (parent as JsonObject)[last] = value;
  } else if (Array.isArray(parent)) {
    parent.splice(Number(index), 1);
  } else {
    delete parent[last];
  }
}
