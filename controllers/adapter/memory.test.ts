import type { StoredEvidence } from "@rune/clients/registry/evidence";
import { expect, it } from "vitest";
import { EvidenceMemory } from "./memory.ts";

const piece = (digest: string) => ({ tag: digest, digest, evidence: { kind: "Archival", why: digest } }) as unknown as StoredEvidence;

it("remembers what was read, and forgets the oldest of it, so that memory has an end", () => {
  const memory = new EvidenceMemory();
  memory.remember([piece("first"), piece("second")]);
  memory.remember([piece("first")]);
  memory.remember(Array.from({ length: 4095 }, (_, n) => piece(`other ${n}`)));
  expect(memory.pieces.size).toBe(4096);
  expect([memory.pieces.has("first"), memory.pieces.has("second")]).toEqual([true, false]);
});
