import { TerminalError } from "kopf-ts";
import type { Blocker } from "./check.ts";
import { bundledRepository, repositoryOf } from "./names.ts";
import { Reason } from "./reasons.ts";

/** Which of its namespace's repositories this is, or is below; undefined for those that the whole installation shares. */
export function keptIn(repository: string | undefined): { namespace: string; as: keyof typeof repositoryOf } | undefined {
  const [root, namespace, as] = repository?.split("/") ?? [];
  if (root !== "rune" || !namespace || !isKept(as)) return undefined;
  return { namespace, as };
}

const isKept = (as: string | undefined): as is keyof typeof repositoryOf => as !== undefined && Object.hasOwn(repositoryOf, as);

/** Those of a namespace's repositories in which no tag is Rune's. */
const forPeople: readonly (keyof typeof repositoryOf)[] = ["bases", "corpora", "tasks", "uploads"];

/** Whether people may push to a repository at all: the registry can't refuse that a tag is moved, so nobody does where tags are Rune's. */
export function isForPeople(repository: string): boolean {
  const kept = keptIn(repository);
  return kept ? forPeople.includes(kept.as) : !repository.startsWith(bundledRepository(""));
}

/**
 * Why an object of this namespace may not use a repository: another namespace keeps there what it has.
 * A digest is no secret, so knowing one must not be enough to read it. Null for its own and for shared ones.
 */
export function foreignRepository(repository: string | undefined, namespace: string): Blocker | null {
  const kept = keptIn(repository);
  if (!kept || kept.namespace === namespace) return null;
  return {
    reason: Reason.ForeignRepository,
    message: `${repository} belongs to the namespace ${kept.namespace}, and nothing in ${namespace} may read it; create this object in ${kept.namespace}, or push the artifact to a repository of ${namespace} or a shared one and name that`,
  };
}

/**
 * Throws where `foreignRepository` returns a blocker. Called before minting, so that a missing check can't leak a
 * token.
 */
export function refuseForeign(repository: string, namespace: string): void {
  const blocker = foreignRepository(repository, namespace);
  if (blocker) throw new TerminalError(blocker.message);
}
