import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { label } from "@rune/crds/words/labels";
import { controlKindOf, isGenerated, type Runs, sourceRunOf } from "../shared/source-run.ts";

export type Control = NonNullable<EvaluatorJob["arms"][number]["control"]>;

type Arm = Evaluation["spec"]["arms"][number];

/**
 * The kind of control that an arm is, if it is one. A shuffled arm is a wrong trajectory; so is an arm whose single
 * adapter belongs to another project, or was generated as the candidate's was, from sessions that are known to be others.
 */
export function controlOfArm(arm: Arm, { spec }: Evaluation, adapters: ReadonlyMap<string, Adapter>, runs: Runs): Control | undefined {
  if (arm.adapters) return arm.adapters.assign === "Shuffled" ? "WrongTrajectory" : undefined;
  const adapter = arm.adapter ? adapters.get(arm.adapter) : undefined;
  if (!adapter) return undefined;
  const kind = controlKindOf(adapter, runs);
  if (kind) return kind;
  const candidate = spec.arms.find(({ name }) => name === spec.gate?.candidate);
  const right = candidate?.adapter && candidate.adapter !== arm.adapter ? adapters.get(candidate.adapter) : undefined;
  if (!right || arm.name === spec.gate?.baseline) return undefined;
  // One without a project has learnt from several, which may include the other's.
  const [one, other] = [adapter.spec.scope.project, right.spec.scope.project];
  const isElsewhere = one !== undefined && other !== undefined && one !== other;
  return isElsewhere || isOfOtherSessions(adapter, right, runs) ? "WrongTrajectory" : undefined;
}

/** Whether two adapters were generated from different sessions; a parent was generated from some of its child's. */
function isOfOtherSessions(one: Adapter, other: Adapter, runs: Runs): boolean {
  if (!isGenerated(one, runs) || !isGenerated(other, runs)) return false;
  const [session, otherSession] = [one, other].map(({ metadata }) => metadata.labels?.[label.session]);
  if (session && otherSession) return session !== otherSession;
  const [corpus, otherCorpus] = [one, other].map((adapter) => sourceRunOf(adapter, runs)?.status?.corpus?.trajectories);
  if (!corpus || !otherCorpus) return false;
  const known = new Set(corpus.map(({ digest }) => digest));
  return otherCorpus.every(({ digest }) => !known.has(digest));
}

/** Descriptions of the control arms that a gate on a hypernetwork's output needs and the evaluation lacks. */
export function missingControls(arms: readonly { control?: Control | undefined }[]): string[] {
  const has = (...kinds: Control[]) => arms.some(({ control }) => control && kinds.includes(control));
  return [
    ...(has("WrongTrajectory") ? [] : ["one with other tasks' adapters (`adapters` with `assign: Shuffled`)"]),
    ...(has("Mean", "Random") ? [] : ["one with their mean or with noise of equal norm (made by a TrainingRun with `merge` or `control`)"]),
  ];
}
