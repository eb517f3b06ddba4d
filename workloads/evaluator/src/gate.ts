import { fewestClusters } from "@rune/crds/evaluation";
import type { Estimate } from "./intervals.ts";

export type Rule = "LowerBound" | "PointEstimate";
export type Verdict = "Passed" | "Failed" | "Inconclusive";
/** `why` is a sentence without its full stop, and says what to do where nothing was decided. */
export type Judgement = { verdict: Verdict; why: string };
/** `minimumTasks` counts clusters: tasks that stand or fall together are one. */
export type Gate = { rule: Rule; thresholdPoints: number; minimumTasks: number };
export type Evidence = {
  /** gain in percentage points */
  delta: Estimate;
  clusters: number;
  effectiveClusters: number;
  /** programs that passed, in both arms together */
  passed: number;
  /** tasks that the arms solved unequally often */
  differing: number;
  /** whether candidate and baseline are one and the same (A/A) */
  same: boolean;
};

/** A gain beyond this many points is more often a leak than a success: control arms should say which. */
export const suspiciousPoints = 15;

/**
 * What the evidence says of a gain of at least `thresholdPoints`.
 * LowerBound: Passed when the whole interval is at or above the threshold, Failed when all of it is below, else Inconclusive.
 * PointEstimate: Passed or Failed by the estimate alone; at 25 tasks it passes one adapter in ten that gains nothing.
 * Both are Inconclusive with too few clusters, and neither passes an arm against itself, nor one that made no difference where no loss is
 * the aim. So where LowerBound passes or fails, PointEstimate says the same.
 */
export function judge(gate: Gate, evidence: Evidence): Judgement {
  const few = tooFew(gate, evidence);
  if (few) return { verdict: "Inconclusive", why: few };
  const judgement = byRule(gate, evidence.delta);
  const nothing = judgement.verdict === "Passed" ? nothingShown(gate, evidence) : null;
  return nothing ? { verdict: "Inconclusive", why: nothing } : judgement;
}

function tooFew({ minimumTasks }: Gate, { clusters, effectiveClusters }: Evidence): string | null {
  const remedy = "add tasks that have nothing to do with these, in clusters of their own";
  if (clusters < minimumTasks)
    return `${clusters} independent tasks (clusters) are fewer than the ${minimumTasks} that the gate asks for; ${remedy}`;
  if (effectiveClusters < fewestClusters)
    return `${clusters} clusters, by their sizes worth ${effectiveClusters.toFixed(1)} independent tasks, are too few for any verdict, which takes ${fewestClusters}; ${remedy}`;
  return null;
}

function byRule({ rule, thresholdPoints: threshold }: Gate, { estimate, lower, upper }: Estimate): Judgement {
  if (rule === "PointEstimate")
    return estimate >= threshold
      ? { verdict: "Passed", why: `the estimate reaches ${threshold} points` }
      : { verdict: "Failed", why: `the estimate stays below ${threshold} points` };
  if (lower >= threshold) return { verdict: "Passed", why: `the whole interval is at ${threshold} points or above` };
  if (upper < threshold) return { verdict: "Failed", why: `the whole interval is below ${threshold} points` };
  return { verdict: "Inconclusive", why: `the interval reaches from below ${threshold} points to above; more tasks would narrow it` };
}

/** Why numbers that reach the threshold show nothing. */
function nothingShown({ thresholdPoints }: Gate, { same, passed, differing }: Evidence): string | null {
  if (same) return "candidate and baseline are the same model with the same adapter; compare two that differ";
  if (passed === 0) return "no program of either arm passed, so the tasks can't tell them apart; take easier tasks";
  if (differing === 0 && thresholdPoints >= 0)
    return "both arms solved every task equally often, so the tasks can't tell them apart; take harder or more tasks";
  return null;
}
