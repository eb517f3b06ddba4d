import type { CloudEvent } from "@rune/crds/contracts/cloudevents";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { endOf, eventAbout, objectOfEvent } from "../shared/cloudevents.ts";

/** The event of a generation that has ended. Promotions and archivals are events of their Adapters. */
export function eventsOf(generation: EvolutionGeneration): CloudEvent[] {
  const end = endOf(generation);
  if (!end) return [];
  const { promoted, retired, archived = 0, best, next } = generation.status ?? {};
  const data = {
    object: objectOfEvent(generation),
    generation: generation.spec.generation,
    result: end.result,
    reason: end.reason,
    ...(promoted && { promoted }),
    ...(retired && { retired }),
    archived,
    ...(best && { best: best.adapter }),
    ...(next && { next }),
  };
  return [{ ...eventAbout(generation, "ended", end.time), type: "dev.rune.evolutiongeneration.ended.v1", data }];
}
