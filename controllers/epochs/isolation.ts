import { canonicalJSON, sha256 } from "@rune/clients/registry/digest";
import { type Isolation, type IsolationStatus, mostFailedProbes } from "@rune/crds/fields/isolation";
import { ConditionType } from "@rune/crds/words/conditions";
import type { ConditionInput } from "kopf-ts";
import { Reason } from "../shared/reasons.ts";

/** The condition from the newest isolation proof; without a proof nothing has run. */
export function isolationVerified(proof: Isolation | undefined): ConditionInput {
  const type = ConditionType.IsolationVerified;
  if (!proof) return { type, status: "Unknown", reason: Reason.NotProbed, message: "nothing runs before the proof" };
  const { verified, probes } = proof;
  const message = `${probes.length - failedOf(proof).length} of ${probes.length} probes answered as a safe sandbox must`;
  return verified
    ? { type, status: "True", reason: Reason.ProbesAnswered, message }
    : { type, status: "False", reason: Reason.ProbeFailed, message };
}

/** The proof as status holds it. The list of probes stays in the log, and its digest says which list it was. */
export function isolationSummary(proof: Isolation): IsolationStatus {
  const { verified, probes, time } = proof;
  const failed = failedOf(proof).slice(0, mostFailedProbes);
  return { verified, tried: probes.length, failed, digest: sha256(canonicalJSON(probes)), ...(time && { time }) };
}

const failedOf = ({ probes }: Isolation) => probes.filter(({ observed, expected }) => observed !== expected);
