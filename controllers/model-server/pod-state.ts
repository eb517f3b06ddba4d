import { parseJSON } from "@rune/clients/http/json";
import { permanentExits } from "@rune/crds/contracts/pod";
import { digest } from "@rune/crds/fields/field";
import { PodCondition } from "@rune/crds/words/conditions";
import type { DynamicObject } from "kopf-ts";
import { z } from "zod";
import { type ContainerStatus, cantStart, podStatusOf, unschedulable } from "../pods/problems.ts";
import type { Blocker } from "../shared/check.ts";
import { Reason } from "../shared/reasons.ts";
import { reportedFailure } from "../shared/termination-message.ts";

/** The stager's output: the identity of the files that it staged. */
const stageResult = z.object({ digest: digest(), name: z.string() });

/** The identity of the base model in this pod, once it is staged. */
export function stagedDigest(pod: DynamicObject): string | undefined {
  const stage = podStatusOf(pod).initContainerStatuses.find(({ name }) => name === "stage-model");
  const ended = stage?.state.terminated;
  if (ended?.exitCode !== 0) return undefined;
  return stageResult.safeParse(parseJSON(ended.message)).data?.digest;
}

export const isPodReady = (pod: DynamicObject) =>
  podStatusOf(pod).conditions.some(({ type, status }) => type === PodCondition.Ready && status === "True");

/** Seconds since the pod stopped being ready; 0 while it is. */
export function unreadySeconds(pod: DynamicObject, now: Date): number {
  const ready = podStatusOf(pod).conditions.find(({ type }) => type === PodCondition.Ready);
  if (!ready || ready.status === "True" || !ready.lastTransitionTime) return 0;
  return (now.getTime() - Date.parse(ready.lastTransitionTime)) / 1000;
}

/** Why a pod doesn't start, according to Kubernetes or its containers. */
export function engineBlocker(pod: DynamicObject): Blocker | null {
  const { conditions, initContainerStatuses, containerStatuses } = podStatusOf(pod);
  const all = [...initContainerStatuses, ...containerStatuses];
  return (
    unschedulable(pod, conditions) ??
    cantStart(pod, all, Reason.EngineCrashing) ??
    stageTrouble(pod, initContainerStatuses) ??
    crashTrouble(pod, all)
  );
}

/** The stager's report on the base model. A problem that no retry can fix needs a person. */
function stageTrouble(pod: DynamicObject, containers: readonly ContainerStatus[]): Blocker | null {
  const stage = containers.find(({ name }) => name === "stage-model");
  const ended = stage?.state.terminated ?? stage?.lastState.terminated;
  if (!stage || !ended || ended.exitCode === 0 || (stage.state.terminated === undefined && stage.state.waiting === undefined)) return null;
  const reported = reportedFailure(ended.message);
  const cause =
    reported?.message ?? (ended.reason === "OOMKilled" ? "it ran out of memory" : (ended.message ?? `exit code ${ended.exitCode}`));
  const retry = permanentExits.includes(ended.exitCode) ? {} : { retrySeconds: 30 };
  return {
    reason: reported?.reason || Reason.BaseModelUnavailable,
    message: `the base model of pod ${pod.metadata.name} can't be staged: ${excerpt(cause)}`,
    ...retry,
  };
}

function crashTrouble(pod: DynamicObject, containers: readonly ContainerStatus[]): Blocker | null {
  const container = containers.find(
    ({ state, restartCount }) => state.waiting?.reason === "CrashLoopBackOff" || (restartCount > 2 && state.waiting),
  );
  const ended = container?.lastState.terminated;
  if (!container || !ended) return null;
  const hint =
    ended.reason === "OOMKilled"
      ? "it needed more memory than its limit; raise spec.resources.memory, lower spec.maxSequences, or create a server with a smaller spec.maxModelLength"
      : excerpt(ended.message ?? `exit code ${ended.exitCode}`);
  return {
    reason: Reason.EngineCrashing,
    message: `container ${container.name} of pod ${pod.metadata.name} ended ${container.restartCount} times: ${hint}`,
    retrySeconds: 30,
  };
}

/** The reason is at the end of a log. */
const excerpt = (text: string) => (text.length > 500 ? `…${text.slice(-500)}` : text).trim();
