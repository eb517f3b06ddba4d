import type { Scope } from "@rune/crds/fields/scope";
import { sharedScope } from "../shared/scope.ts";
import type { Promotion } from "./world.ts";

export interface TierAndScope {
  readonly tier: NonNullable<Promotion["tier"]>;
  readonly scope: Scope;
}

/**
 * The tier and scope of a child: the part that its parents' scopes share. A child of several tasks' adapters belongs to
 * the domain, one of several domains' to the project; null without a common project, because no session would choose
 * it.
 */
export function tierOf(parents: readonly Scope[]): TierAndScope | null {
  const scope = sharedScope(parents);
  if (!scope.project) return null;
  return { tier: scope.task ? "Task" : scope.domain ? "Domain" : "ProjectRoot", scope };
}
