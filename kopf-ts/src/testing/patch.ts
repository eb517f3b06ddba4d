import { isDeepStrictEqual } from "node:util";
import type { JsonPatchOperation } from "../api/requests.ts";

export { mergePatch } from "../api/merge-patch.ts";

type Json = unknown;
type JsonObject = Record<string, Json>;

const isJsonObject = (value: Json): value is JsonObject => typeof value === "object" && value !== null && !Array.isArray(value);

/** A test operation failed, or a path does not exist. */
export class PatchRefused extends Error {}

/** RFC 6902 without `move` and `copy`. */
export function jsonPatch(target: Json, operations: readonly JsonPatchOperation[]): Json {
  const root = { root: structuredClone(target) } as JsonObject;
  for (const { op, path, value } of operations) {
    const steps = ["root", ...path.split("/").slice(1)].map((step) => step.replaceAll("~1", "/").replaceAll("~0", "~"));
    const last = steps.pop() as string;
    let parent: Json = root;
    for (const step of steps) parent = (parent as JsonObject | undefined)?.[step];
    if (typeof parent !== "object" || parent === null) throw new PatchRefused(`${op} ${path}: there is no such place`);
    operate(parent as JsonObject | Json[], last, { op, path, value });
  }
  return root.root;
}

function operate(parent: JsonObject | Json[], last: string, { op, path, value }: JsonPatchOperation): void {
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

/** Fields by which server-side apply identifies the members of a list; other lists are atomic. */
const listKeys = ["type", "name", "uid", "containerPort", "port"];

function keyOfList(...lists: readonly Json[][]): string | undefined {
  const members = lists.flat();
  if (members.length === 0 || !members.every(isJsonObject)) return undefined;
  return listKeys.find((key) => members.every((member) => (member as JsonObject)[key] !== undefined));
}

/** `live` with everything of `applied` in it, and without what `before` (the manager's last application) had and `applied` lacks. */
export function applyMerge(live: Json, before: Json, applied: Json): Json {
  if (isJsonObject(applied)) {
    const result: JsonObject = isJsonObject(live) ? { ...live } : {};
    if (isJsonObject(before)) for (const name of Object.keys(before)) if (!(name in applied)) delete result[name];
    for (const [name, value] of Object.entries(applied)) {
      result[name] = applyMerge(result[name], isJsonObject(before) ? before[name] : undefined, value);
    }
    return result;
  }
  if (Array.isArray(applied) && Array.isArray(live)) return applyList(live, Array.isArray(before) ? before : [], applied);
  return applied;
}

function applyList(live: Json[], before: Json[], applied: Json[]): Json[] {
  const key = keyOfList(live, before, applied);
  if (key === undefined) return applied;
  const find = (list: Json[], value: Json) => list.find((member) => isDeepStrictEqual((member as JsonObject)[key], value));
  const kept = live
    .filter((member) => find(applied, (member as JsonObject)[key]) !== undefined || find(before, (member as JsonObject)[key]) === undefined)
    .map((member) => {
      const value = (member as JsonObject)[key];
      const wanted = find(applied, value);
      return wanted === undefined ? member : applyMerge(member, find(before, value), wanted);
    });
  return [...kept, ...applied.filter((member) => find(live, (member as JsonObject)[key]) === undefined)];
}

/** The paths at which two applications differ. */
export function disagreements(mine: Json, theirs: Json, path = ""): string[] {
  if (isJsonObject(mine) && isJsonObject(theirs)) {
    return Object.keys(mine).flatMap((name) => (name in theirs ? disagreements(mine[name], theirs[name], `${path}.${name}`) : []));
  }
  return isDeepStrictEqual(mine, theirs) || (Array.isArray(mine) && Array.isArray(theirs) && keyOfList(mine, theirs)) ? [] : [path];
}
