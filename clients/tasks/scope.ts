import type { Scope } from "@rune/crds/fields/scope";

/** From the widest to the narrowest. A scope without the wider one doesn't name anything. */
export const scopeLevels = ["project", "domain", "task"] as const;

/** How narrow a scope is that takes in `inner` (1 project, 2 domain, 3 task); 0 where it doesn't, or names no project. */
export function narrowness(scope: Scope, inner: Scope): number {
  if (!scope.project || scopeLevels.some((level) => scope[level] && scope[level] !== inner[level])) return 0;
  return scope.task ? 3 : scope.domain ? 2 : 1;
}
