import { isJsonObject, type JsonObject } from "../core/json-object.ts";

/** RFC 7386: `target` with `patch` merged in; `null` removes. Neither is modified; unpatched parts are shared. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isJsonObject(patch)) return patch;
  const result: JsonObject = isJsonObject(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}
