import { isDeepStrictEqual } from "node:util";
import { ApiError } from "../api/api-error.ts";
import type { KubeObject } from "../api/object.ts";
import { isJsonObject, type JsonObject } from "../core/json-object.ts";

/** What a manager last applied, as the whole object: an entry of `managedFields` here. */
interface AppliedFields {
  readonly manager: string;
  readonly operation: "Apply";
  readonly subresource: string;
  readonly applied: unknown;
}

/**
 * The object after a manager has applied `object` to `old`, or to nothing.
 *
 * @throws ApiError 409 without `force`, if another manager has applied another value of one of the fields.
 */
export function serverSideApply(
  old: KubeObject | undefined,
  object: KubeObject,
  by: { readonly manager: string; readonly subresource: string; readonly force: boolean },
): KubeObject {
  const { manager, subresource, force } = by;
  const { metadata, ...rest } = object;
  const { resourceVersion: _resourceVersion, uid: _uid, ...ownMetadata } = metadata;
  const applied = { ...rest, metadata: ownMetadata };
  const fields = (old?.metadata.managedFields ?? []) as AppliedFields[];
  const isMine = (entry: AppliedFields) => entry.manager === manager && entry.subresource === subresource;
  const others = fields.filter((entry) => !isMine(entry));
  if (!force) refuseConflicts(applied, others);
  const merged = applyMerge(old ?? {}, fields.find(isMine)?.applied, applied) as KubeObject;
  const mine: AppliedFields = { manager, operation: "Apply", subresource, applied };
  return { ...merged, metadata: { ...merged.metadata, managedFields: [...others, mine] } };
}

function refuseConflicts(applied: unknown, others: readonly AppliedFields[]): void {
  for (const other of others) {
    const paths = disagreements(applied, other.applied);
    if (paths.length === 0) continue;
    throw new ApiError({ status: 409, reason: "Conflict", message: `Apply failed: conflict with "${other.manager}": ${paths.join(", ")}` });
  }
}

/** Fields by which server-side apply identifies the members of a list; other lists are atomic. */
const listKeys = ["type", "name", "uid", "containerPort", "port"];

function keyOfList(...lists: readonly unknown[][]): string | undefined {
  const members = lists.flat();
  if (members.length === 0 || !members.every(isJsonObject)) return undefined;
  return listKeys.find((key) => members.every((member) => (member as JsonObject)[key] !== undefined));
}

/** `live` with everything of `applied` in it, and without what `before` (the manager's last application) had and `applied` lacks. */
function applyMerge(live: unknown, before: unknown, applied: unknown): unknown {
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

function applyList(live: unknown[], before: unknown[], applied: unknown[]): unknown[] {
  const key = keyOfList(live, before, applied);
  if (key === undefined) return applied;
  const find = (list: unknown[], value: unknown) => list.find((member) => isDeepStrictEqual((member as JsonObject)[key], value));
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
function disagreements(mine: unknown, theirs: unknown, path = ""): string[] {
  if (isJsonObject(mine) && isJsonObject(theirs)) {
    return Object.keys(mine).flatMap((name) => (name in theirs ? disagreements(mine[name], theirs[name], `${path}.${name}`) : []));
  }
  return isDeepStrictEqual(mine, theirs) || (Array.isArray(mine) && Array.isArray(theirs) && keyOfList(mine, theirs)) ? [] : [path];
}
