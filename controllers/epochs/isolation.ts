import type { Isolation } from "@rune/crds/fields/isolation";
import type { ConditionInput } from "kopf-ts";

/** The condition that the newest proof of isolation says; without a proof nothing has run. */
export function isolationVerified(proof: Isolation | undefined): ConditionInput {
  const type = "IsolationVerified";
  if (!proof) return { type, status: "Unknown", reason: "NotProbed", message: "nothing runs before the proof" };
  const { verified, probes } = proof;
  const right = probes.filter(({ observed, expected }) => observed === expected).length;
  const message = `${right} of ${probes.length} probes answered as a safe sandbox must`;
  return verified ? { type, status: "True", reason: "ProbesAnswered", message } : { type, status: "False", reason: "ProbeFailed", message };
}
