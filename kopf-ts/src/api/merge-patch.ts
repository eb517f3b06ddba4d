import { isTree, type Tree } from "../core/tree.ts";

/** RFC 7386: `target` with `patch` merged in; `null` removes. Neither is modified; unpatched parts are shared. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isTree(patch)) return patch;
  const result: Tree = isTree(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else result[name] = mergePatch(result[name], value);
  }
  return result;
}
