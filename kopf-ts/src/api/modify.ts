import { isDeepStrictEqual } from "node:util";
import { isJsonObject, type JsonObject } from "../core/json-object.ts";
import { isConflict } from "./api-error.ts";
import type { KubeObject } from "./object.ts";

/**
 * Changes the draft in place. Called again with a fresh draft when another client wrote first, so it must depend on
 * nothing but the draft.
 */
export type Modification<T extends KubeObject> = (draft: T) => void;

const mostAttempts = 5;

/**
 * Read, change, write the difference, on the condition that nobody wrote in between; again from the start otherwise,
 * at most five times. An unchanged draft costs no write.
 */
export async function modifyWith<T extends KubeObject>(
  read: () => Promise<T>,
  write: (patch: Record<string, unknown>) => Promise<T>,
  modification: Modification<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const object = await read();
    const draft = structuredClone(object);
    modification(draft);
    const patch = mergeDiff(object, draft);
    if (!patch) return object;
    const { resourceVersion, uid } = object.metadata;
    try {
      return await write({ ...patch, metadata: { ...(patch.metadata as object | undefined), resourceVersion, uid } });
    } catch (error) {
      if (!isConflict(error) || attempt >= mostAttempts) throw error;
    }
  }
}

/** The JSON merge patch (RFC 7386) that makes `old` be `now`; undefined if it is. */
export function mergeDiff(old: unknown, now: unknown): Record<string, unknown> | undefined {
  const [before, after] = [old as JsonObject, now as JsonObject];
  const patch: JsonObject = {};
  for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
    const [was, is] = [before[name], after[name]];
    if (isDeepStrictEqual(was, is)) continue;
    if (is === undefined) patch[name] = null;
    else patch[name] = isJsonObject(was) && isJsonObject(is) ? mergeDiff(was, is) : is;
  }
  return Object.keys(patch).length > 0 ? patch : undefined;
}
