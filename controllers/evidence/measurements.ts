import type { Evidence } from "@rune/crds/contracts/evidence";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { rateOf } from "./interval.ts";

export type MeasuredEvidence = Extract<Evidence, { kind: "Evaluation" }>;
type Arm = Evaluation["spec"]["arms"][number];

/**
 * Measurements of the adapters that an evaluation measured alone, one per adapter: an arm with other adapters for other
 * tasks, or with a context, measures those as well. Of several arms with one adapter the gate's candidate counts, else
 * the first. An evaluation that allows tasks that adapters have learnt from says nothing about other tasks.
 */
export function measuredAlone(evaluation: Evaluation, time: string): MeasuredEvidence[] {
  const { spec, status } = evaluation;
  if (spec.seenTasks === "Allow") return [];
  const candidate = gateArm(spec);
  const arms = spec.arms.toSorted((a, b) => Number(b === candidate) - Number(a === candidate));
  const found = arms.flatMap((arm) => {
    const result = arm.context ? undefined : status?.arms?.find(({ name }) => name === arm.name);
    if (!arm.adapter || !result?.passAt1 || !result.adapterDigest) return [];
    const { name, namespace, uid } = evaluation.metadata;
    const base = baseOf(arm, evaluation);
    return [
      {
        kind: "Evaluation" as const,
        schema: "rune.dev/evidence/v1" as const,
        adapter: { name: arm.adapter, digest: result.adapterDigest },
        by: { kind: "Evaluation" as const, namespace, name, uid },
        time,
        passAt1: rateOf(result.passAt1),
        ...(status?.taskSet && { taskSet: status.taskSet }),
        ...(base && { base: rateOf(base) }),
        ...(arm === candidate && status?.verdict && { gate: verdictOf(status.verdict, status.delta) }),
        ...(status?.report && { report: status.report }),
      },
    ];
  });
  return found.filter(({ adapter }, index) => found.findIndex((other) => other.adapter.digest === adapter.digest) === index);
}

/** The arm that a gate is about. If both have the same weights on two servers, it is about the servers. */
function gateArm({ gate, arms }: Evaluation["spec"]): Arm | undefined {
  const candidate = arms.find(({ name }) => name === gate?.candidate);
  const baseline = arms.find(({ name }) => name === gate?.baseline);
  return candidate?.adapter === baseline?.adapter ? undefined : candidate;
}

function verdictOf(verdict: NonNullable<MeasuredEvidence["gate"]>["verdict"], delta: Parameters<typeof rateOf>[0] | undefined) {
  return { verdict, ...(delta && { delta: rateOf(delta) }) };
}

/** Pass@1 of the base alone, on the same server. */
function baseOf({ serverRef }: Arm, { spec, status }: Evaluation) {
  const base = spec.arms.find((arm) => !arm.adapter && !arm.adapters && !arm.context && arm.serverRef.name === serverRef.name);
  return status?.arms?.find(({ name }) => name === base?.name)?.passAt1;
}
