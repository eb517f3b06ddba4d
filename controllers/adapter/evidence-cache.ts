import type { StoredEvidence } from "@rune/clients/registry/evidence";
import type { Evidence } from "@rune/crds/contracts/evidence";

/** A few megabytes. */
const mostPieces = 4096;

/** Recently read evidence by manifest digest. It never changes, so it is fetched once; the oldest is evicted. */
export class EvidenceCache {
  readonly #pieces = new Map<string, Evidence>();

  get pieces(): ReadonlyMap<string, Evidence> {
    return this.#pieces;
  }

  add(read: readonly StoredEvidence[]): void {
    for (const { digest, evidence } of read) {
      this.#pieces.delete(digest);
      this.#pieces.set(digest, evidence);
    }
    for (const digest of this.#pieces.keys()) {
      if (this.#pieces.size <= mostPieces) return;
      this.#pieces.delete(digest);
    }
  }
}
