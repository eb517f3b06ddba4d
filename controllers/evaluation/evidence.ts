import type { EvaluatorResult } from "@rune/crds/contracts/evaluator";
import { type Outcome, progressing, timestamp, waiting } from "kopf-ts";
import { measuredAlone } from "../evidence/measurements.ts";
import { stateOf } from "../evidence/state.ts";
import { Reason } from "../shared/reasons.ts";
import type { Services } from "../shared/services.ts";
import type { Plan } from "./plan.ts";
import { EvaluationReason } from "./reasons.ts";
import { ending, resultOf } from "./record.ts";
import type { EvidenceState, Piece, World } from "./world.ts";

const retrySeconds = 10;

/** Stores a piece of evidence; does nothing if it is already there. */
export type StoreEvidence = (piece: Piece) => Promise<void>;

/** One piece per adapter that was measured alone, once there is a report. */
function piecesOf({ evaluation }: Pick<World, "evaluation">, plan: Plan, result: EvaluatorResult, now: Date): Piece[] {
  const repositories = new Map(plan.arms.flatMap(({ adapters }) => adapters.map(({ digest, repository }) => [digest, repository])));
  const ended = { ...evaluation, status: { ...evaluation.status, ...ending(evaluation, plan, result) } };
  return measuredAlone(ended, timestamp(now)).flatMap((evidence) => {
    const repository = repositories.get(evidence.adapter.digest);
    return repository ? [{ repository, evidence }] : [];
  });
}

/** Finds the evidence that isn't in the registry yet, once there is a report. */
export async function observeEvidence(
  world: Pick<World, "evaluation" | "worker" | "plan">,
  services: Services,
  now: Date,
): Promise<EvidenceState> {
  const { evaluation, plan } = world;
  const result = resultOf(world);
  if (!plan || !result?.report) return { unstored: [], refused: [] };
  const unstored: Piece[] = [];
  const refused: string[] = [];
  try {
    for (const piece of piecesOf(world, plan, result, now)) {
      const registry = services.registry(evaluation.metadata.namespace, piece.repository, ["pull"]);
      const state = await stateOf(registry, piece.repository, piece.evidence);
      if (state === "unstored") unstored.push(piece);
      else if (state !== "stored") refused.push(state.refused);
    }
    return { unstored, refused };
  } catch (error) {
    return { unavailable: (error as Error).message };
  }
}

/** Stores the measurements with their adapters before the evaluation ends; null once all are stored. */
export function storing({ evidence }: World, store: StoreEvidence): Outcome | null {
  if ("unavailable" in evidence)
    return waiting(
      Reason.RegistryUnavailable,
      `what was measured can't be stored with its adapters now: ${evidence.unavailable}`,
      retrySeconds,
    );
  if (evidence.unstored.length === 0) return null;
  const names = evidence.unstored.map(({ evidence: { adapter } }) => adapter.name).join(", ");
  const outcome = progressing(EvaluationReason.StoringEvidence, `what was measured of ${names} is being stored with it`).atOnce();
  return evidence.unstored.reduce(
    (made, piece) => made.effect(`evidence about ${piece.evidence.adapter.name}`, () => store(piece)),
    outcome,
  );
}

/** Reports what could not be stored: the adapter then has it only while this evaluation exists. */
export function withMissing(outcome: Outcome, { evidence }: World): Outcome {
  const why =
    "unavailable" in evidence
      ? [evidence.unavailable]
      : [
          ...evidence.refused,
          ...evidence.unstored.map((piece) => `that of ${piece.evidence.adapter.name} wasn't within spec.deadlineSeconds`),
        ];
  if (why.length === 0) return outcome;
  return outcome.event("Warning", EvaluationReason.EvidenceMissing, `what was measured isn't stored with every adapter: ${why.join("; ")}`);
}
