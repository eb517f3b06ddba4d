import { createHash } from "node:crypto";

/**
 * The entry in a model's `corpus.json` for a text that it has learnt from: 16 hex digits of SHA-256 over it with single
 * spaces (`learntFrom`).
 */
export function learntHash(text: string): string {
  return createHash("sha256").update(text.replace(/\s+/g, " ").trim()).digest("hex").slice(0, 16);
}
