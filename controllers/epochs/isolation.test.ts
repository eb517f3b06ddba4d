import { canonicalJSON, sha256 } from "@rune/clients/registry/digest";
import { type Isolation, isolationStatus } from "@rune/crds/fields/isolation";
import { agentSession } from "@rune/crds/kinds/agent-session";
import { expect, it } from "vitest";
import { isolationSummary, isolationVerified } from "./isolation.ts";

const probesWith = (failing: number): Isolation["probes"] =>
  Array.from({ length: 40 }, (_, n) => ({
    name: `probe ${n}`,
    layer: 2,
    expected: "Blocked",
    observed: n < failing ? "Reached" : "Blocked",
  }));
const proofWith = (failing: number): Isolation => ({ verified: failing === 0, probes: probesWith(failing), time: "2026-11-23T12:00:00Z" });

it("a proof stands in status as how many probes there were, which of them failed, and the digest of the list that the log holds", () => {
  expect(isolationSummary(proofWith(0))).toEqual({
    verified: true,
    tried: 40,
    failed: [],
    digest: sha256(canonicalJSON(probesWith(0))),
    time: "2026-11-23T12:00:00Z",
  });
  expect(isolationSummary(proofWith(2)).failed).toEqual(probesWith(2).slice(0, 2));
});

it("a proof of which nearly everything failed fits into a status, and the condition counts all", () => {
  expect(isolationStatus.safeParse(isolationSummary(proofWith(39))).success).toBe(true);
  expect(isolationVerified(proofWith(39))).toMatchObject({ status: "False", message: "1 of 40 probes answered as a safe sandbox must" });
});

it("an object whose status still holds the list is read as before", () => {
  expect(agentSession.status.parse({ isolation: proofWith(0) }).isolation).toEqual(proofWith(0));
});
