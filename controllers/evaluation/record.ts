import { type EvaluatorResult, evaluatorResult } from "@rune/crds/contracts/evaluator";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { ConditionType } from "@rune/crds/words/conditions";
import { failed, type Outcome, progressing, succeeded } from "kopf-ts";
import { livePods } from "../epochs/epoch.ts";
import { isolationSummary, isolationVerified } from "../epochs/isolation.ts";
import { intervalOf } from "../evidence/interval.ts";
import { sandboxName } from "../shared/names.ts";
import { Reason } from "../shared/reasons.ts";
import { nameOfUnit, statusOfUnit, type Unit, unitNow, unitsOf } from "./batches.ts";
import type { Plan } from "./plan.ts";
import { EvaluationReason } from "./reasons.ts";
import type { ArmStatus, World } from "./world.ts";

/** Adds the condition that depends on the log alone. */
export function withIsolationCondition({ log }: Pick<World, "log">, outcome: Outcome): Outcome {
  return "unavailable" in log ? outcome : outcome.condition(isolationVerified(log.isolation));
}

/**
 * The result of the current epoch's evaluator, if it succeeded. Every unit has its own epoch, so none is recorded
 * twice.
 */
export function resultOf({ evaluation, worker }: Pick<World, "evaluation" | "worker">): EvaluatorResult | null {
  if (worker.state !== "Ended") return null;
  const parsed = evaluatorResult.safeParse(worker.output);
  const isOfNow = parsed.success && parsed.data.arms.map(({ name }) => name).join() === evaluation.status?.activeArms?.join();
  return isOfNow ? parsed.data : null;
}

/** Records measurements in status; the last ones come with the report and end the evaluation. */
export function record(world: World, plan: Plan, result: EvaluatorResult): Outcome {
  const { evaluation } = world;
  const units = unitsOf(plan);
  const now = unitNow(evaluation, units);
  const arms = armsWith(evaluation, result);
  const words = wordsOf(result, units[now], plan);
  if (result.report) return end(world, plan, result, words);
  const following = units[now + 1];
  if (following && !result.decided) return begin(world, plan, arms, following, words);
  return withIsolationCondition(world, failed(Reason.ArtifactMissing, `${words}; it was the last arm, and no report was stored`));
}

type ArmResult = EvaluatorResult["arms"][number];

const armsWith = ({ status }: Evaluation, { arms }: EvaluatorResult): ArmStatus[] =>
  (status?.arms ?? []).map((arm) => measured(arm, arms.find(({ name }) => name === arm.name) ?? { completed: arm.completed }));

const measured = (arm: ArmStatus, { completed, passAt1, costs }: Omit<ArmResult, "name">): ArmStatus => ({
  ...arm,
  completed,
  ...(passAt1 && { passAt1: intervalOf(passAt1) }),
  ...(costs && { costs }),
});

/** Such as `arms base, memory: base Pass@1 0.200 [0.100, 0.300]; memory 40 programs judged`. */
function wordsOf({ arms }: EvaluatorResult, unit: Unit | undefined, plan: Plan): string {
  const each = arms.map((arm) => (arms.length > 1 ? `${arm.name} ${whatOf(arm)}` : whatOf(arm)));
  return [...(unit ? [nameOfUnit(unit, plan)] : []), each.join("; ")].join(": ");
}

const whatOf = ({ passAt1, completed }: ArmResult) =>
  passAt1
    ? `Pass@1 ${passAt1.estimate.toFixed(3)} [${passAt1.lower.toFixed(3)}, ${passAt1.upper.toFixed(3)}]`
    : `${completed} programs judged`;

/** The next unit gets a new epoch, and with it a new sandbox. */
function begin({ evaluation, sandboxPod, job, worker }: World, plan: Plan, arms: ArmStatus[], next: Unit, words: string): Outcome {
  const { epoch = 0, sandbox } = evaluation.status ?? {};
  return progressing(EvaluationReason.ArmMeasured, `${words}; ${nameOfUnit(next, plan)} comes next`, {
    arms,
    ...statusOfUnit(next, plan.looks.length),
    epoch: epoch + 1,
    sandbox: { pod: sandboxName(evaluation, epoch + 1), uid: sandbox?.uid },
  })
    .deleting(...livePods({ sandboxPod, job, worker }))
    .event("Normal", EvaluationReason.ArmMeasured, words)
    .atOnce();
}

/** The final status. */
export function ending(evaluation: Evaluation, plan: Plan, result: EvaluatorResult) {
  const look = evaluation.status?.look ?? 1;
  const reached = plan.looks[look - 1];
  const early = look < plan.looks.length && reached;
  const { verdict, delta, comparisons, mlflowRunID, report } = result;
  return {
    arms: armsWith(evaluation, result),
    report,
    // With fewer tasks it is a different measurement, which must not be mistaken for one of all of them.
    ...(early && { taskSet: { ...plan.taskSet, ...reached, seed: evaluation.spec.seed } }),
    ...(comparisons && {
      comparisons: comparisons.map(({ lead, ...each }) => ({
        ...each,
        delta: intervalOf(each.delta, 1),
        ...(lead && { lead: intervalOf(lead, 1) }),
      })),
    }),
    ...(delta && { delta: intervalOf(delta, 1) }),
    ...(verdict && { verdict }),
    ...(mlflowRunID && { mlflowRunID }),
  };
}

function end({ evaluation, log }: World, plan: Plan, result: EvaluatorResult, words: string): Outcome {
  const look = evaluation.status?.look ?? 1;
  const status = {
    ...("isolation" in log && log.isolation ? { isolation: isolationSummary(log.isolation) } : {}),
    ...ending(evaluation, plan, result),
    activeArms: undefined,
    activeAdapters: undefined,
  };
  const early =
    look < plan.looks.length
      ? [`ended at look ${look} of ${plan.looks.length}, because more tasks would not have changed the verdict`]
      : [];
  const { delta } = result;
  const message = [words, ...(delta ? [gainOf(delta)] : []), ...early].join("; ");
  return judged(withIsolationCondition({ log }, succeeded(status, { reason: EvaluationReason.Measured, message })), result)
    .event("Normal", EvaluationReason.Measured, message)
    .atOnce();
}

const gainOf = ({ estimate, lower, upper }: NonNullable<EvaluatorResult["delta"]>) =>
  `gain ${estimate.toFixed(1)} points [${lower.toFixed(1)}, ${upper.toFixed(1)}]`;

/** The verdict never affects Ready: an evaluation without a finding did its work. */
function judged(outcome: Outcome, { verdict, delta, why, controlsMissing }: EvaluatorResult): Outcome {
  const { ControlsMissing } = EvaluationReason;
  const withControls = controlsMissing
    ? outcome.condition({ type: ConditionType.ControlsMissing, status: "True", reason: ControlsMissing, message: controlsMissing })
    : outcome;
  if (!verdict) return withControls;
  const status = { Passed: "True", Failed: "False", Inconclusive: "Unknown" } as const;
  return withControls.condition({
    type: ConditionType.GatePassed,
    status: status[verdict],
    reason: verdict,
    message: [delta && gainOf(delta), why].filter(Boolean).join("; "),
  });
}
