import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import type { ConditionInput } from "kopf-ts";
import { RunReason as Reason } from "./reasons.ts";
import type { Result } from "./result.ts";
import type { Corpus } from "./world.ts";

/*
 * Whether a corpus suffices, as far as counting shows: before a GPU is requested. What an artifact doesn't state isn't
 * a shortfall here; the trainer counts again, and refuses with the same messages.
 */

/**
 * Fewest distinct solved tasks for learning from corrections. Where it was measured, adapters trained on a few dozen
 * multi-turn sessions transferred nothing or did harm: so few tasks teach no behaviour.
 */
const leastCorrectedTasks = 100;

/** How large a corpus is, as far as that is known. */
export function sizeOf({ count, solved, tasks, trajectories }: Corpus): string {
  if (count === undefined && trajectories.length > 1) return `${trajectories.length} artifacts that don't say how much is in them`;
  if (count === undefined) return `a corpus that doesn't say how much is in it (${trajectories[0]?.repository})`;
  const of = [solved !== undefined && `${solved} of them solved`, tasks !== undefined && `${tasks} distinct tasks`].filter(Boolean);
  return [`${count} sessions`, ...of].join(", ");
}

/** That a corpus suffices: its size, and how varied its trainer found it. */
export function sufficient(corpus: Corpus, { distinctTasks, failureModes = 0, corrections = 0 }: Result["metrics"] = {}): ConditionInput {
  const found =
    distinctTasks !== undefined &&
    `its solved trajectories have ${distinctTasks} distinct tasks, ${failureModes} classes of errors and ${corrections} distinct corrections`;
  const message = [sizeOf(corpus), found].filter(Boolean).join("; ");
  return { type: ConditionType.CorpusSufficient, status: "True", reason: Reason.CorpusFrozen, message };
}

type Shortfall = { reason: string; message: string } | null;

export function shortfallOf(run: TrainingRun, corpus: Corpus): Shortfall {
  return pairsMissing(run, corpus) ?? tooUniform(run, corpus) ?? adaptersMissing(run, corpus) ?? correctionsMissing(run, corpus);
}

function pairsMissing({ spec }: TrainingRun, { solved, count }: Corpus): Shortfall {
  const wanted = spec.hypernetwork?.minimumPairs;
  if (wanted === undefined || solved === undefined || solved >= wanted) return null;
  return {
    reason: Reason.CorpusTooSmall,
    message: `${solved} of ${count ?? solved} sessions ended solved, spec.hypernetwork.minimumPairs asks for ${wanted}; ${wanted - solved} more are missing: run more sessions, or lower it in a new run`,
  };
}

/**
 * Held-out trajectories of trained tasks measure nothing, and adapters of two trajectories of one task hardly differ.
 * At least half of the required pairs must have distinct tasks.
 */
function tooUniform({ spec }: TrainingRun, { solved, tasks }: Corpus): Shortfall {
  if (!spec.hypernetwork || tasks === undefined) return null;
  const wanted = Math.max(2, Math.ceil(spec.hypernetwork.minimumPairs / 2));
  if (tasks >= wanted) return null;
  return {
    reason: Reason.CorpusTooUniform,
    message: `the ${solved} solved sessions are of ${tasks} distinct tasks, and a hypernetwork needs ${wanted}, half of spec.hypernetwork.minimumPairs: it learns what tells trajectories apart; run sessions of other tasks`,
  };
}

/** A trajectory without an adapter can't be imitated, and the trainer doesn't skip solved ones. */
function adaptersMissing({ spec }: TrainingRun, { trajectories, solved = 0 }: Corpus): Shortfall {
  if (spec.hypernetwork?.objective !== "Reconstruction") return null;
  const paired = trajectories.filter(({ adapter }) => adapter).length;
  const wanted = Math.max(spec.hypernetwork.minimumPairs, solved);
  if (paired >= wanted) return null;
  return {
    reason: Reason.AdaptersTooFew,
    message: `${paired} of ${trajectories.length} trajectories have an adapter that was fine-tuned from them alone, and Reconstruction needs ${wanted}: as many as spec.hypernetwork.minimumPairs, and one for every solved session; make them with TrainingRuns of method sft whose corpus is one session each, select those sessions alone, or take another objective`,
  };
}

function correctionsMissing({ spec }: TrainingRun, { tasks, solved }: Corpus): Shortfall {
  const counted = tasks ?? solved;
  if (spec.generate || !spec.corpus?.include.includes("Corrections") || counted === undefined || counted >= leastCorrectedTasks)
    return null;
  return {
    reason: Reason.CorpusTooSmall,
    message: `${counted} distinct tasks were solved, and learning from corrections needs ${leastCorrectedTasks}: examples of several turns teach habits, and those of few tasks don't carry over; leave Corrections out of spec.corpus.include in a new run, or run sessions of more tasks`,
  };
}
