import type { StoredEvidence } from "@rune/clients/registry/evidence";
import { expect, it } from "vitest";
import { EvidenceCache } from "./evidence-cache.ts";

const piece = (digest: string) => ({ tag: digest, digest, evidence: { kind: "Archival", why: digest } }) as unknown as StoredEvidence;

it("remembers what was read, and forgets the oldest of it, so that memory has an end", () => {
  const memory = new EvidenceCache();
  memory.add([piece("first"), piece("second")]);
  memory.add([piece("first")]);
  memory.add(Array.from({ length: 4095 }, (_, n) => piece(`other ${n}`)));
  expect(memory.pieces.size).toBe(4096);
  expect([memory.pieces.has("first"), memory.pieces.has("second")]).toEqual([true, false]);
});
