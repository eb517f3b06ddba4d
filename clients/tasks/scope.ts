import type { Scope } from "@rune/crds/fields/scope";

/** From the widest to the narrowest. A narrower level without the wider one has no meaning. */
export const scopeLevels = ["project", "domain", "task"] as const;

/** How narrow a scope that includes `inner` is (1 project, 2 domain, 3 task); 0 if it doesn't, or has no project. */
export function narrowness(scope: Scope, inner: Scope): number {
  if (!scope.project || scopeLevels.some((level) => scope[level] && scope[level] !== inner[level])) return 0;
  return scope.task ? 3 : scope.domain ? 2 : 1;
}
