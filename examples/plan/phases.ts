import { z } from "zod";
import type { Manifest } from "../shared/manifests.ts";
import { isOver, isTrue, type Seen, words } from "../shared/objects.ts";

/** Marks an object's phase; a phase's TrainingRuns find its sessions by it. */
export const phaseLabel = "example.org/phase";
/** Marks a namespace that the plan created, and so may empty. */
export const ownNamespace = { "app.kubernetes.io/managed-by": "rune-plan" };

export const phases = {
  "0": "Environment validation",
  "1": "Core hypothesis",
  "2": "Adapter library and serving",
  "3": "Agents and sandbox",
  "4": "Evolution",
} as const;
export type Phase = keyof typeof phases;
export const phaseNames = Object.keys(phases) as Phase[];

export const phaseOf = ({ metadata }: Pick<Manifest, "metadata">) => metadata.labels?.[phaseLabel];

const gated = z.looseObject({ gate: z.looseObject({ maxRelativeDropPercent: z.number().optional() }) });

/** The manifests with a gate of this phase that nothing can pass: 99 points. */
export function withFailingGate(manifests: readonly Manifest[], phase: string): Manifest[] {
  return manifests.map((manifest) => {
    const { success, data } = gated.safeParse(manifest.spec);
    if (!success || manifest.kind !== "Evaluation" || phaseOf(manifest) !== phase) return manifest;
    const { maxRelativeDropPercent: _, ...gate } = data.gate;
    return { ...manifest, spec: { ...data, gate: { ...gate, thresholdPoints: 99 } } };
  });
}

/**
 * Whether an object has done its phase's work. A gate that failed is a result: objects that require it report that, in
 * the next phase.
 */
export const isDone = (object: Seen<unknown>) => (object.kind === "ModelServer" ? isTrue(object, "Ready") : isOver(object));

/** Whether it can't continue by itself. A session that failed is one that taught nothing. */
export const isStuck = (object: Seen<unknown>) => (object.kind !== "AgentSession" || !isOver(object) ? isTrue(object, "Stalled") : false);

const begun = z.looseObject({
  startTime: z.string().optional(),
  epoch: z.number().optional(),
  attempts: z.array(z.unknown()).optional(),
  replicas: z.number().optional(),
});

/** Whether anything was ever created or run for an object: a pod, an attempt, an epoch. */
export function hasStarted({ status }: Seen<unknown>): boolean {
  const { startTime, epoch = 0, attempts = [], replicas = 0 } = begun.parse(status ?? {});
  return startTime !== undefined || epoch > 0 || attempts.length > 0 || replicas > 0;
}

/** The state of a phase, for a line of progress. */
export function standing(objects: readonly Seen<unknown>[]): string {
  const open = objects.find((object) => !isDone(object) && isTrue(object, "Reconciling")) ?? objects.find((object) => !isDone(object));
  const done = objects.filter(isDone).length;
  return open ? `${done} of ${objects.length} done; ${nameOf(open)}: ${words(open)}` : `${done} of ${objects.length} done`;
}

export const nameOf = ({ kind, metadata }: Seen<unknown>) => `${kind} ${metadata.name}`;
