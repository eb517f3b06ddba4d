import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { type Outcome, progressing, waiting } from "kopf-ts";
import { hypernetworkRun } from "./manifests.ts";
import { GenerationReason } from "./reasons.ts";
import type { World } from "./world.ts";

const retrySeconds = 30;

/** Sessions that a hypernetwork can learn from. */
export const pairsIn = (sessions: readonly AgentSession[]): number =>
  sessions.filter(({ status }) => status?.outcome === "Solved" && status.trajectory).length;

/** The hypernetwork's training is named by its generation, and so made once. */
const nameOf = ({ metadata, spec }: EvolutionGeneration) => `${spec.rootRef?.name ?? metadata.name}-h${spec.generation}`;

/**
 * Has the hypernetwork trained anew where enough sessions have been solved since the last time; null once there is nothing to do. The next
 * generation waits for it only with the child that it generates.
 */
export function retrained(world: World): Outcome | null {
  const { generation, pairs, server, retraining } = world;
  const { spec, status } = generation;
  const wanted = spec.hypernetwork;
  const known = status?.hypernetwork;
  if (!wanted || !known) return null;
  if (!known.run) {
    if (pairs === undefined || pairs - known.pairs < wanted.retrainAfterPairs) return null;
    const words = `${pairs - known.pairs} sessions were solved since the hypernetwork was trained; it learns anew from ${pairs}`;
    return progressing(GenerationReason.Retraining, words, { hypernetwork: { pairs, run: nameOf(generation) } })
      .event("Normal", GenerationReason.Retraining, words)
      .atOnce();
  }
  if (retraining) return null;
  if (!server)
    return waiting(
      GenerationReason.ServerMissing,
      `the ModelServer ${spec.serverRef.name} of spec.serverRef is gone; create it again`,
      retrySeconds,
    );
  return progressing(GenerationReason.Retraining, `creates the TrainingRun ${known.run}`)
    .creating(hypernetworkRun(generation, known.run, server))
    .atOnce();
}

/** What the next generation generates by, and how many sessions that has learnt from. */
export function inheritance({ spec, status }: EvolutionGeneration) {
  const { run, pairs } = status?.hypernetwork ?? {};
  return {
    variation: run ? { ...spec.variation, generate: { hypernetwork: { run } } } : spec.variation,
    pairs,
  };
}
