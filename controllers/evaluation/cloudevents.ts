import type { CloudEvent } from "@rune/crds/contracts/cloudevents";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { endOf, eventAbout, objectOfEvent } from "../shared/cloudevents.ts";

/** The event of an evaluation that has ended: its gate's decision, if it has a gate. */
export function eventsOf(evaluation: Evaluation): CloudEvent[] {
  const end = endOf(evaluation);
  const { spec, status } = evaluation;
  if (end?.result !== "Succeeded" || !spec.gate || !status?.verdict) return [];
  const { candidate, baseline } = spec.gate;
  const name = spec.arms.find((arm) => arm.name === candidate)?.adapter;
  const digest = status.arms?.find((arm) => arm.name === candidate)?.adapterDigest;
  const data = {
    object: objectOfEvent(evaluation),
    verdict: status.verdict,
    candidate: { arm: candidate, ...(name && digest && { adapter: { name, digest } }) },
    baseline: { arm: baseline },
    ...(status.delta && { delta: status.delta }),
    ...(status.report && { report: status.report }),
  };
  return [{ ...eventAbout(evaluation, "decided", end.time), type: "dev.rune.evaluation.decided.v1", data }];
}
