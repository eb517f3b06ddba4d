import type { CloudEvent } from "@rune/crds/contracts/cloudevents";
import { methodOf } from "@rune/crds/kinds/methods";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { endOf, eventAbout, objectOfEvent } from "../shared/cloudevents.ts";

/** The event of a run that has ended: its Adapters. There is none for a run that made a hypernetwork, or nothing. */
export function eventsOf(run: TrainingRun): CloudEvent[] {
  const end = endOf(run);
  const { adapter, adapters, result } = run.status ?? {};
  const count = adapter ? 1 : (adapters?.created ?? 0);
  if (end?.result !== "Succeeded" || !result || count === 0) return [];
  const data = {
    object: objectOfEvent(run),
    method: methodOf(run),
    artifact: { repository: result.repository, digest: result.digest },
    adapters: count,
    ...(adapter && { adapter }),
  };
  return [{ ...eventAbout(run, "produced", end.time), type: "dev.rune.trainingrun.produced.v1", data }];
}
