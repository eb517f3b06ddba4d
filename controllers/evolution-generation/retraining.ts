import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { hypernetwork } from "@rune/crds/kinds/methods";
import { mostTrajectories } from "@rune/crds/kinds/training-run";
import { type Outcome, progressing, stalled, waiting } from "kopf-ts";
import { repairSeconds } from "../shared/check.ts";
import { hasLabels } from "../shared/labels.ts";
import { hypernetworkRun, retrainingLabels } from "./manifests.ts";
import { GenerationReason } from "./reasons.ts";
import type { World } from "./world.ts";

const retrySeconds = 30;

/** The sessions that a hypernetwork can learn from, newest first, as their trajectories. */
export function pairsIn(sessions: readonly AgentSession[]): readonly ArtifactReference[] {
  const begun = ({ metadata: { creationTimestamp = "" } }: AgentSession) => creationTimestamp;
  return sessions
    .filter(({ status }) => status?.outcome === "Solved")
    .toSorted((a, b) => begun(b).localeCompare(begun(a)))
    .flatMap(({ status }) => status?.trajectory ?? [])
    .map(({ repository, digest }) => ({ repository, digest }));
}

/** The retraining's name contains the generation's, so it is created once. */
const nameOf = ({ metadata, spec }: EvolutionGeneration) => `${spec.rootRef?.name ?? metadata.name}-h${spec.generation}`;

/**
 * Retrains the hypernetwork when enough sessions were solved since the last time, and as many in all as its training
 * needs; null once nothing is left to do. The next generation waits for it only when it makes the generated child.
 */
export function retrained(world: World): Outcome | null {
  const { generation, server, retraining } = world;
  const pairs = world.pairs?.length;
  const { spec, status } = generation;
  const wanted = spec.hypernetwork;
  const known = status?.hypernetwork;
  if (!wanted || !known) return null;
  if (!known.run) {
    const { minimumPairs } = wanted.settings ?? hypernetwork.parse({});
    if (pairs === undefined || pairs < minimumPairs || pairs - known.pairs < wanted.retrainAfterPairs) return null;
    const words = `${pairs - known.pairs} sessions were solved since the hypernetwork was trained; it learns again from ${Math.min(pairs, mostTrajectories)}`;
    return progressing(GenerationReason.Retraining, words, { hypernetwork: { pairs, run: nameOf(generation) } })
      .event("Normal", GenerationReason.Retraining, words)
      .atOnce();
  }
  if (retraining && hasLabels(retraining, retrainingLabels(generation))) return null;
  if (retraining)
    return stalled(
      GenerationReason.RetrainingExists,
      `a TrainingRun ${known.run} of another chain exists; delete it, and this chain goes on`,
    ).again(repairSeconds);
  if (!server)
    return waiting(
      GenerationReason.ServerMissing,
      `the ModelServer ${spec.serverRef.name} of spec.serverRef is gone; create it again`,
      retrySeconds,
    );
  // Sessions of now, by digest: by their labels the run would wait for every session that hasn't ended.
  const artifacts = (world.pairs ?? []).slice(0, mostTrajectories);
  if (artifacts.length === 0) return null;
  return progressing(GenerationReason.Retraining, `creates the TrainingRun ${known.run}`)
    .creating(hypernetworkRun(generation, known.run, server, artifacts))
    .atOnce();
}

/** The hypernetwork for the next generation, and the number of sessions that it has learnt from. */
export function inheritance({ spec, status }: EvolutionGeneration) {
  const { run, pairs } = status?.hypernetwork ?? {};
  return {
    variation: run ? { ...spec.variation, generate: { hypernetwork: { run } } } : spec.variation,
    pairs,
  };
}
