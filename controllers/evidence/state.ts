import { EvidenceTagTaken, findEvidence } from "@rune/clients/registry/evidence";
import { ArtifactMissing, DigestMismatch, type Registry } from "@rune/clients/registry/registry";
import type { Evidence } from "@rune/crds/contracts/evidence";

/**
 * Whether a piece of evidence is in the registry, or why it can never be stored: its tag belongs to another, or its
 * adapter is missing or incomplete.
 */
export type PieceState = "stored" | "unstored" | { readonly refused: string };

/** Looks up a piece of evidence. Throws the registry's errors while it is unavailable. */
export async function stateOf(registry: Registry, repository: string, evidence: Evidence): Promise<PieceState> {
  try {
    if (await findEvidence(registry, repository, evidence)) return "stored";
    await registry.descriptor(repository, evidence.adapter.digest);
    return "unstored";
  } catch (error) {
    if (error instanceof EvidenceTagTaken || error instanceof ArtifactMissing || error instanceof DigestMismatch)
      return { refused: error.message };
    throw error;
  }
}
