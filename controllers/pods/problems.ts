import { JobCondition, PodCondition } from "@rune/crds/words/conditions";
import type { DynamicObject, KubeObject } from "kopf-ts";
import { z } from "zod";
import type { Blocker } from "../shared/check.ts";
import { Reason } from "../shared/reasons.ts";

const terminated = z.object({ exitCode: z.number(), reason: z.string().optional(), message: z.string().optional() });
const containerState = z.object({
  waiting: z.object({ reason: z.string().optional(), message: z.string().optional() }).optional(),
  terminated: terminated.optional(),
});
const containerStatus = z.object({
  name: z.string(),
  restartCount: z.number().default(0),
  state: containerState.default({}),
  lastState: containerState.default({}),
});
const podStatus = z.object({
  conditions: z
    .array(
      z.object({
        type: z.string(),
        status: z.string(),
        reason: z.string().optional(),
        message: z.string().optional(),
        lastTransitionTime: z.string().nullish(),
      }),
    )
    .default([]),
  initContainerStatuses: z.array(containerStatus).default([]),
  containerStatuses: z.array(containerStatus).default([]),
});
export type ContainerStatus = z.output<typeof containerStatus>;

/** The parts of a pod's status that describe its state. */
export const podStatusOf = (pod: DynamicObject) => podStatus.parse(pod.status ?? {});

/** Blocks while no node can run the pod. */
export function unschedulable(pod: DynamicObject, conditions: z.output<typeof podStatus>["conditions"]): Blocker | null {
  const condition = conditions.find(
    ({ type, status, reason }) => type === PodCondition.PodScheduled && status === "False" && reason === "Unschedulable",
  );
  if (!condition) return null;
  return {
    reason: Reason.Unschedulable,
    message: `no node takes pod ${pod.metadata.name}: ${condition.message ?? "the scheduler doesn't say why"}`,
    retrySeconds: 30,
  };
}

/** Blocks while the kubelet can't start a container; the reason is `other` unless the image is at fault. */
export function cantStart(pod: DynamicObject, containers: readonly ContainerStatus[], other: Reason): Blocker | null {
  const reasons = [
    "ErrImagePull",
    "ImagePullBackOff",
    "InvalidImageName",
    "ErrImageNeverPull",
    "CreateContainerConfigError",
    "CreateContainerError",
  ];
  const container = containers.find(({ state }) => reasons.includes(state.waiting?.reason ?? ""));
  if (!container) return null;
  const { reason, message } = container.state.waiting ?? {};
  const isImage = reason?.includes("Image");
  return {
    reason: isImage ? Reason.ImageUnavailable : other,
    message: `container ${container.name} of pod ${pod.metadata.name} can't start (${reason}): ${message ?? "the kubelet doesn't say why"}`,
    retrySeconds: 30,
  };
}

/** A Job without a pod for longer than this is reported. */
export const podlessSeconds = 30;

/** The pods of an owner, newest first: a queue that suspends and readmits a Job leaves an older one behind. */
export const podsOf = (owner: DynamicObject, pods: readonly DynamicObject[]): DynamicObject[] =>
  pods
    .filter(({ metadata }) => metadata.ownerReferences?.some(({ uid }) => uid === owner.metadata.uid))
    .sort((one, other) => (other.metadata.creationTimestamp ?? "").localeCompare(one.metadata.creationTimestamp ?? ""));

/** Label of the queue in which Kueue admits a Job. */
export const queueLabel = "kueue.x-k8s.io/queue-name";

const suspendedByOthers = (name: string): Blocker => ({
  reason: Reason.JobSuspended,
  message: `Job ${name} is suspended, and Rune didn't ask for that: Kueue takes every Job where manageJobsWithoutQueueName is set (leave this namespace out, or let it be admitted), or somebody set spec.suspend of the Job (set it back)`,
  retrySeconds: 30,
});

/**
 * Time since which a Job may have a pod: its start, which each admission by a queue resets. Undefined while suspended.
 */
function startOf(job: DynamicObject): string | undefined {
  const conditions: { type: string; status: string }[] = job.status?.conditions ?? [];
  if (conditions.some(({ type, status }) => type === JobCondition.Suspended && status === "True")) return undefined;
  return job.status?.startTime ?? job.metadata.creationTimestamp;
}

/** Whether an owner has had no pod for too long. */
export function isPodless(owner: DynamicObject, now: Date): boolean {
  const start = owner.spec?.suspend ? undefined : startOf(owner);
  return start !== undefined && now.getTime() - Date.parse(start) > podlessSeconds * 1000;
}

/** Reports that an owner gets no pod. `refusal`: admission's message about the last one, if any. */
export const podMissing = ({ kind, metadata }: KubeObject, refusal: string | undefined): Blocker => ({
  reason: Reason.PodMissing,
  message: `${kind} ${metadata.name} has no pod${refusal ? `: ${refusal}` : "; its events say why, such as a quota of the namespace that is used up"}`,
  retrySeconds: 30,
});

/** Why the pod of a Job doesn't start, if Kubernetes gives a reason, or has been silent for too long. */
export function jobBlocker(job: DynamicObject, pods: readonly DynamicObject[], now: Date, refusal?: string): Blocker | null {
  const { name } = job.metadata;
  if (job.spec?.suspend) return job.metadata.labels?.[queueLabel] ? null : suspendedByOthers(name);
  const own = podsOf(job, pods);
  if (own.length === 0 && isPodless(job, now)) return podMissing(job, refusal);
  for (const pod of own) {
    const { conditions, initContainerStatuses, containerStatuses } = podStatusOf(pod);
    const trouble =
      unschedulable(pod, conditions) ?? cantStart(pod, [...initContainerStatuses, ...containerStatuses], Reason.ContainerRefused);
    if (trouble) return trouble;
  }
  return null;
}
