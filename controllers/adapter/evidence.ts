import { type KnownEvidence, readEvidence } from "@rune/clients/registry/evidence";
import type { Evidence } from "@rune/crds/contracts/evidence";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { ConditionType } from "@rune/crds/words/conditions";
import { type EventInput, isTerminal, isTrue, timestamp } from "kopf-ts";
import { rateOf } from "../evidence/interval.ts";
import { measuredAlone } from "../evidence/measurements.ts";
import { scopeWords } from "../shared/scope.ts";
import type { Services } from "../shared/services.ts";
import { endedAt } from "../shared/time-to-live.ts";
import { isNewlySaid } from "./annotation-requests.ts";
import { type Folded, newestFirst, ofKind } from "./fold-evidence.ts";
import { AdapterReason } from "./reasons.ts";
import type { ArtifactState, EvidenceState } from "./world.ts";

type Decision = NonNullable<NonNullable<EvolutionGeneration["status"]>["decisions"]>[number];

/**
 * Whether the registry may have evidence that status doesn't include yet: it was never read, the artifact is being
 * verified anyway, an evaluation ended or a generation recorded a decision about these weights since the last
 * reading, or an annotation is new. Evidence is stored before the status that announces it; what happened in the
 * same second as the last reading counts as later.
 */
export function isDue(
  adapter: Adapter,
  artifact: ArtifactState,
  evaluations: readonly Evaluation[],
  decisions: readonly Pick<Decision, "recordedTime">[],
): boolean {
  const { evidenceDigest, evidenceTime } = adapter.status ?? {};
  if (artifact.state === "Found") return true;
  if (artifact.state !== "VerifiedBefore") return false;
  if (!evidenceDigest || !evidenceTime || isNewlySaid(adapter)) return true;
  const since = Date.parse(evidenceTime);
  return (
    evaluations.some((evaluation) => isTerminal(evaluation) && endedAt(evaluation).getTime() >= since) ||
    decisions.some(({ recordedTime }) => recordedTime !== undefined && Date.parse(recordedTime) >= since)
  );
}

export async function observeEvidence(
  { metadata, spec }: Adapter,
  services: Services,
  known: KnownEvidence,
  now: Date,
): Promise<EvidenceState> {
  const { repository, digest } = spec.artifact;
  try {
    const registry = services.registry(metadata.namespace, repository, ["pull"]);
    return { state: "Read", time: timestamp(now), ...(await readEvidence(registry, repository, digest, known)) };
  } catch (error) {
    return { state: "Unavailable", message: (error as Error).message };
  }
}

/**
 * All evidence: the registry's, that of existing evaluations that couldn't store theirs, and older measurements in
 * status that the registry never had.
 */
export function piecesOf(adapter: Adapter, stored: readonly Evidence[], evaluations: readonly Evaluation[]): Evidence[] {
  const ended = evaluations.filter((evaluation) => isTrue(evaluation, ConditionType.Succeeded));
  const pieces: Evidence[] = [...stored];
  const add = (more: readonly Evidence[]) => {
    const uids = new Set(ofKind(pieces, "Evaluation").map(({ by }) => by.uid));
    pieces.push(...more.filter((piece) => piece.adapter.digest === adapter.spec.artifact.digest && !uids.has(piece.by.uid)));
  };
  add(ended.flatMap((evaluation) => measuredAlone(evaluation, timestamp(endedAt(evaluation)))));
  add(remembered(adapter));
  return pieces;
}

/** Marks measurements that the registry has; deleting one from the registry then retracts it. */
export function withStored({ fitness, evidence, ...rest }: Folded, stored: readonly Evidence[]): Folded {
  const uids = new Set(ofKind(stored, "Evaluation").map(({ by }) => by.uid));
  const told = <T extends { evaluationUID: string }>(each: T): T => (uids.has(each.evaluationUID) ? { ...each, stored: true } : each);
  return { ...rest, fitness: fitness && told(fitness), evidence: evidence?.map(told) };
}

/** Measurements in status that the registry never had. */
function remembered({ metadata, spec, status }: Adapter): Evidence[] {
  const all = [...(status?.fitness ? [status.fitness] : []), ...(status?.evidence ?? [])];
  const distinct = all.filter(
    ({ evaluationUID, stored }, index) => !stored && all.findIndex((other) => other.evaluationUID === evaluationUID) === index,
  );
  return distinct.map(({ passAt1, base, evaluation, evaluationUID, time, taskSet }) => ({
    schema: "rune.dev/evidence/v1",
    kind: "Evaluation",
    adapter: { name: metadata.name, digest: spec.artifact.digest },
    by: { kind: "Evaluation", namespace: metadata.namespace, name: evaluation, uid: evaluationUID },
    time,
    passAt1: rateOf(passAt1),
    ...(base && { base: rateOf(base) }),
    ...(taskSet && { taskSet }),
  }));
}

/** Events for what the evidence changed; none for an Adapter that is new here, because all of it happened before. */
export function newsOf({ status }: Adapter, folded: Folded, stored: readonly Evidence[]): EventInput[] {
  if (!status?.evidenceDigest) return [];
  const newest = stored.toSorted(newestFirst);
  const news: EventInput[] = [];
  const tell = (reason: string, note: string) => void news.push({ type: "Normal", reason, note });
  if (folded.archived !== (status.archived ?? false)) {
    const [piece] = folded.archived ? ofKind(newest, "Archival") : ofKind(newest, "Restoration");
    if (piece) tell(folded.archived ? AdapterReason.Archived : AdapterReason.Restored, `${decider(piece)}: ${piece.why}`);
  }
  const [promotion] = ofKind(newest, "Promotion");
  const [retirement] = ofKind(newest, "Retirement");
  const [before, after] = [scopeText(status.champion), scopeText(folded.champion)];
  if (promotion && ((after && after !== before) || folded.tier !== (status.tier ?? "Task")))
    tell(AdapterReason.Promoted, `${decider(promotion)}: tier ${folded.tier}${after ? `, champion of ${after}` : ""}`);
  else if (retirement && before && !after)
    tell(AdapterReason.Retired, `${decider(retirement)}: ${retirement.successor.name} is the champion of ${before} now`);
  return news;
}

const decider = ({ by }: Evidence) => (by.kind === "Person" ? "a person said by annotation" : `${by.kind} ${by.name}`);
const scopeText = (scope: Folded["champion"]) => scope && scopeWords(scope);
