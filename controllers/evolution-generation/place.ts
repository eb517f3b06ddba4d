import type { Scope } from "@rune/crds/fields/scope";
import { sharedScope } from "../shared/scope.ts";
import type { Promotion } from "./world.ts";

export interface Place {
  readonly tier: NonNullable<Promotion["tier"]>;
  readonly scope: Scope;
}

/**
 * Where a child of parents of these scopes belongs: what they have in common. A child of several tasks' adapters is the domain's, one of
 * several domains' the project's; null where they share no project, and so nobody would ever choose it.
 */
export function placeOf(parents: readonly Scope[]): Place | null {
  const scope = sharedScope(parents);
  if (!scope.project) return null;
  return { tier: scope.task ? "Task" : scope.domain ? "Domain" : "ProjectRoot", scope };
}
