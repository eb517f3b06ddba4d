import { canonicalJSON } from "@rune/clients/registry/digest";
import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import { type Arm, hasAdapters } from "./arms.ts";
import { alphaOf, baselineShare, type Evidence, endsWith, type Judgement, judge, suspiciousPoints, thresholdOf } from "./gate.ts";
import type { Estimate } from "./intervals.ts";
import { type ArmResults, rateOf, round, rounded } from "./results.ts";
import { type PairedScore, pairedGain, type TaskScore } from "./statistics.ts";

export type Comparison = { candidate: string; baseline: string; delta: Estimate; differing: number };
/** An arm beside the gate's baseline, and by how much the gate's candidate leads it, at the gate's confidence. */
export type Compared = Comparison & { lead?: Estimate | undefined };
/** Control arms that a claim about memory is measured against. */
export type Contrast = Comparison & { control: NonNullable<Arm["control"]> };
export type Decision = {
  /** what had to reach the threshold, in percentage points, with the interval of the gate's confidence at this look */
  tested: Estimate;
  threshold: number;
  /** confidence of that interval */
  intervalConfidence: number;
  verdicts: { LowerBound: Judgement; PointEstimate: Judgement };
  verdict: Judgement;
  /** whether the evaluation ends with it */
  decided: boolean;
  leakageSuspected: boolean;
  /** why the verdict is at best Inconclusive; null when nothing is missing, and in a smoke test */
  controlsMissing: string | null;
};

/** The gain of one arm over another in percentage points, paired by task, and the tasks that the two solved unequally often. */
export function comparisonOf(candidate: ArmResults, baseline: ArmResults): Comparison {
  const pairs = pairsOf(candidate, baseline);
  return {
    candidate: candidate.arm.name,
    baseline: baseline.arm.name,
    delta: rounded(pairedGain(pairs)),
    differing: pairs.filter((pair) => pair.candidate !== pair.baseline).length,
  };
}

/** Every other arm over the baseline, which is the gate's or the first. */
export function comparisonsOf({ gate, look }: Pick<EvaluatorJob, "gate" | "look">, results: readonly ArmResults[]): Compared[] {
  const baseline = results.find(({ arm }) => arm.name === gate?.baseline) ?? results[0];
  const candidate = results.find(({ arm }) => arm.name === gate?.candidate);
  if (!baseline) return [];
  return results
    .filter((each) => each !== baseline)
    .map((each) => ({
      ...comparisonOf(each, baseline),
      ...(gate &&
        candidate &&
        each !== candidate && { lead: rounded(pairedGain(pairsOf(candidate, each), { alpha: alphaOf(gate, look) })) }),
    }));
}

/**
 * The arm that claims memory, less each control arm: right minus wrong, right minus mean, right minus noise. It is the
 * gate's candidate, or the first arm with adapters that is no control. A gain over the base proves nothing about
 * memory; these do.
 */
export function contrastsOf({ gate }: EvaluatorJob, results: readonly ArmResults[]): Contrast[] {
  const able = results.filter(({ arm }) => hasAdapters(arm) && !arm.control && arm.name !== gate?.baseline);
  const right = able.find(({ arm }) => arm.name === gate?.candidate) ?? able[0];
  if (!right) return [];
  return results.flatMap((other) => (other.arm.control ? [{ ...comparisonOf(right, other), control: other.arm.control }] : []));
}

/** The gate's decision on these results; undefined for a job without a gate. */
export function decide(
  { gate, look, arms }: Pick<EvaluatorJob, "gate" | "look" | "arms">,
  results: readonly ArmResults[],
  { clusters, effectiveClusters }: Pick<Evidence, "clusters" | "effectiveClusters">,
): Decision | undefined {
  const [candidate, baseline] = [gate?.candidate, gate?.baseline].map((name) => results.find(({ arm }) => arm.name === name));
  if (!gate || !candidate || !baseline) return undefined;
  const alpha = alphaOf(gate, look);
  const tested = rounded(pairedGain(pairsOf(candidate, baseline), { alpha, baselineShare: baselineShare(gate) }));
  const { delta, differing } = comparisonOf(candidate, baseline);
  const passed = [candidate, baseline].flatMap(({ samples }) => samples).filter(({ execution }) => execution.passed).length;
  const controlsMissing = gate.mode === "Smoke" ? null : missingControls(candidate.arm, arms, delta.estimate);
  const evidence: Evidence = {
    tested,
    gain: delta.estimate,
    clusters,
    effectiveClusters,
    passed,
    differing,
    same: identityOf(candidate.arm) === identityOf(baseline.arm),
    controlsMissing,
  };
  const verdicts = {
    LowerBound: judge({ ...gate, rule: "LowerBound" }, evidence),
    PointEstimate: judge({ ...gate, rule: "PointEstimate" }, evidence),
  };
  return {
    tested,
    threshold: thresholdOf(gate),
    intervalConfidence: round(1 - alpha),
    verdicts,
    verdict: verdicts[gate.rule],
    decided: endsWith(gate.rule, verdicts[gate.rule], look),
    leakageSuspected: delta.estimate > suspiciousPoints,
    controlsMissing,
  };
}

/**
 * Which control arms a candidate with adapters lacks, and why it needs them: always when a hypernetwork made the
 * adapters (it may have learnt one good adapter for all), and when the gain is suspiciously large. Null when nothing is
 * missing.
 */
function missingControls(candidate: Arm, arms: readonly Arm[], gain: number): string | null {
  if (!hasAdapters(candidate) || !(candidate.generated || gain > suspiciousPoints)) return null;
  const kinds = new Set(arms.map(({ control }) => control));
  const missing = [
    ...(kinds.has("WrongTrajectory") ? [] : ["one of other tasks' adapters (assign: Shuffled), or of another project's adapter"]),
    ...(kinds.has("Mean") || kinds.has("Random") ? [] : ["one of their mean or of noise (a TrainingRun with merge or control)"]),
  ];
  if (missing.length === 0) return null;
  const cause = candidate.generated ? "adapters that a hypernetwork made" : `a gain of more than ${suspiciousPoints} points`;
  return `${cause} can't be told from one good adapter for everything without control arms; add ${missing.join(" and ")}`;
}

/** Identifies what answers in an arm: arms of one identity differ only by chance. */
function identityOf({ model, assigned, context }: Arm): string {
  return canonicalJSON({ url: model.url, name: model.name, assigned, context }).toString();
}

function pairsOf(candidate: ArmResults, baseline: ArmResults): PairedScore[] {
  return candidate.scores.map((score, index) => ({
    cluster: score.cluster,
    candidate: rateOf(score),
    baseline: rateOf(baseline.scores[index] as TaskScore),
  }));
}
