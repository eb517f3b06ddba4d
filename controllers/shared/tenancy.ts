import { TerminalError } from "kopf-ts";
import type { Blocker } from "./check.ts";
import { repositoryOf } from "./names.ts";
import { Reason } from "./reasons.ts";

/**
 * Why an object of this namespace may not use a repository: it is where the operator keeps what another namespace
 * learnt. A digest is no secret, so knowing one must not be enough to read it. Null for its own and for shared ones.
 */
export function foreignRepository(repository: string | undefined, namespace: string): Blocker | null {
  const owner = repository?.split("/")[1] ?? "";
  const isKept = Object.values(repositoryOf).some((of) => of(owner) === repository);
  if (!isKept || owner === namespace) return null;
  return {
    reason: Reason.ForeignRepository,
    message: `${repository} belongs to the namespace ${owner}, and nothing in ${namespace} may read it; create this object in ${owner}, or push the artifact to a repository of ${namespace} or a shared one and name that`,
  };
}

/** Throws where `foreignRepository` has a word to say: whoever mints a token asks this, so that no forgotten check can leak one. */
export function refuseForeign(repository: string, namespace: string): void {
  const blocker = foreignRepository(repository, namespace);
  if (blocker) throw new TerminalError(blocker.message);
}
