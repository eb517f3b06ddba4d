import type { MeasuredTasks, Scope } from "@rune/crds/common";

/** From the widest to the narrowest. A scope without the wider one doesn't name anything. */
const levels = ["project", "domain", "task"] as const;

/** What all of them have in common: what is said of several domains speaks of the project, not of a domain. */
export function sharedScope(scopes: readonly Scope[]): Scope {
  const shared: Scope = {};
  for (const level of levels) {
    const [value, ...others] = new Set(scopes.map((scope) => scope[level]));
    if (!value || others.length > 0) break;
    shared[level] = value;
  }
  return shared;
}

/** How narrow a scope is that takes in `inner` (1 project, 2 domain, 3 task); 0 where it doesn't, or names no project. */
export function narrowness(scope: Scope, inner: Scope): number {
  if (!scope.project || levels.some((level) => scope[level] && scope[level] !== inner[level])) return 0;
  return scope.task ? 3 : scope.domain ? 2 : 1;
}

/** Whether two measurements were made on the same tasks, and so can be compared. */
export function sameTasks(a: MeasuredTasks, b: MeasuredTasks): boolean {
  return a.digest === b.digest && (a.part ?? "All") === (b.part ?? "All") && a.tasks === b.tasks && a.seed === b.seed;
}
