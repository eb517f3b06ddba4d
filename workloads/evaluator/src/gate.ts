import { alphaOfLook, type Look } from "@rune/clients/statistics/looks";
import { clustersNeeded, fewestClusters, type Gate } from "@rune/crds/kinds/evaluation";
import type { Estimate } from "./intervals.ts";

export type Verdict = "Passed" | "Failed" | "Inconclusive";
/** `why` is a sentence without its full stop; for an undecided verdict it says what to do. */
export type Judgement = { verdict: Verdict; why: string };
export type Rule = Gate["rule"];
export type Evidence = {
  /** what must reach `thresholdOf(gate)`, in percentage points, with the interval of the gate's confidence at this look */
  tested: Estimate;
  /** gain in percentage points */
  gain: number;
  clusters: number;
  effectiveClusters: number;
  /** programs that passed, in both arms together */
  passed: number;
  /** tasks that the arms solved unequally often */
  differing: number;
  /** whether candidate and baseline are one and the same (A/A) */
  same: boolean;
  /** why the present control arms don't suffice for a pass; null where they do, or none are needed */
  controlsMissing: string | null;
};

/** A gain beyond this many points is more often a leak than a success: control arms should show which. */
export const suspiciousPoints = 15;

/**
 * What the tested number must reach: a gain, or, for a relative drop, that candidate - (1 - p) baseline isn't below 0.
 */
export const thresholdOf = ({ maxRelativeDropPercent, thresholdPoints }: Gate): number =>
  maxRelativeDropPercent === undefined ? thresholdPoints : 0;

/**
 * The part of the baseline's rate that is subtracted from the candidate's to get the tested number: all of it for a
 * gain.
 */
export const baselineShare = ({ maxRelativeDropPercent }: Gate): number => 1 - (maxRelativeDropPercent ?? 0) / 100;

/** Allowed chance that the gate's interval of this look misses the truth. */
export const alphaOf = ({ confidence }: Gate, look: Look): number => alphaOfLook(1 - Number(confidence), look);

/**
 * What the evidence shows about a tested number that must reach the threshold.
 * LowerBound: Passed when the whole interval is at or above the threshold, Failed when all of it is below, else Inconclusive.
 * PointEstimate: Passed or Failed by the estimate alone; at 25 tasks it passes one in ten adapters without any gain.
 * Both are Inconclusive with too few clusters; neither passes an arm against itself, nor one that made no difference
 * where no loss is the aim, nor one whose control arms are missing. So where LowerBound passes or fails, PointEstimate
 * agrees.
 */
export function judge(gate: Gate, evidence: Evidence): Judgement {
  const few = tooFew(gate, evidence);
  if (few) return { verdict: "Inconclusive", why: few };
  const judgement = byRule(gate, evidence.tested);
  const nothing = judgement.verdict === "Passed" ? (nothingShown(gate, evidence) ?? evidence.controlsMissing) : null;
  return nothing ? { verdict: "Inconclusive", why: nothing } : judgement;
}

/**
 * Whether an evaluation ends with this verdict: at its last look, or earlier by the rule whose intervals allow for
 * repeated looks. An estimate alone would pass or fail at any look, and so at the first.
 */
export function endsWith(rule: Rule, { verdict }: Judgement, { number, of }: Look): boolean {
  return number === of || (rule === "LowerBound" && verdict !== "Inconclusive");
}

function tooFew(gate: Gate, { clusters, effectiveClusters }: Evidence): string | null {
  const remedy = "add tasks that have nothing to do with these, in clusters of their own";
  const needed = clustersNeeded(gate);
  if (needed > fewestClusters && clusters < needed)
    return `${clusters} independent tasks (clusters) are fewer than the ${needed} that the gate asks for; ${remedy}`;
  if (effectiveClusters < fewestClusters)
    return `${clusters} clusters, by their sizes worth ${effectiveClusters.toFixed(1)} independent tasks, are too few for any verdict, which takes ${fewestClusters}; ${remedy}`;
  return null;
}

function byRule(gate: Gate, { estimate, lower, upper }: Estimate): Judgement {
  const threshold = thresholdOf(gate);
  const goal = goalOf(gate);
  if (gate.rule === "PointEstimate")
    return estimate >= threshold
      ? { verdict: "Passed", why: `the estimate reaches ${goal}` }
      : { verdict: "Failed", why: `the estimate stays below ${goal}` };
  if (lower >= threshold) return { verdict: "Passed", why: `the whole interval is at ${goal} or above` };
  if (upper < threshold) return { verdict: "Failed", why: `the whole interval is below ${goal}` };
  return { verdict: "Inconclusive", why: `the interval reaches from below ${goal} to above; more tasks would narrow it` };
}

/** The threshold in words. */
export function goalOf(gate: Gate): string {
  const { maxRelativeDropPercent: drop, thresholdPoints } = gate;
  return drop === undefined ? `${thresholdPoints} points` : `${100 - drop} % of the baseline's Pass@1`;
}

/** Why numbers that reach the threshold show nothing. */
function nothingShown(gate: Gate, { same, passed, differing }: Evidence): string | null {
  if (same) return "candidate and baseline are the same model with the same adapter; compare two that differ";
  if (passed === 0) return "no program of either arm passed, so the tasks can't tell them apart; take easier tasks";
  if (differing === 0 && gate.maxRelativeDropPercent === undefined && gate.thresholdPoints >= 0)
    return "both arms solved every task equally often, so the tasks can't tell them apart; take harder or more tasks";
  return null;
}
