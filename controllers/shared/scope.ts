import { scopeLevels } from "@rune/clients/tasks/scope";
import type { MeasuredTasks } from "@rune/crds/fields/measurement";
import type { Scope } from "@rune/crds/fields/scope";

/** The part that all scopes share: several domains share the project but no domain. */
export function sharedScope(scopes: readonly Scope[]): Scope {
  const shared: Scope = {};
  for (const level of scopeLevels) {
    const [value, ...others] = new Set(scopes.map((scope) => scope[level]));
    if (!value || others.length > 0) break;
    shared[level] = value;
  }
  return shared;
}

/** Whether two scopes are equal; an empty level is the same as none. */
export const sameScope = (a: Scope, b: Scope): boolean => scopeLevels.every((level) => (a[level] ?? "") === (b[level] ?? ""));

/** Such as `parsers/text`. */
export const scopeWords = (scope: Scope): string => scopeLevels.flatMap((level) => scope[level] ?? []).join("/") || "no project";

/** Equal for measurements on the same tasks, which can be compared. */
export const keyOfTasks = ({ digest, part = "All", tasks, seed }: MeasuredTasks): string => JSON.stringify([digest, part, tasks, seed]);

/** Whether two measurements used the same tasks, and so can be compared. */
export const sameTasks = (a: MeasuredTasks, b: MeasuredTasks): boolean => keyOfTasks(a) === keyOfTasks(b);
