import { parseJSON } from "@rune/clients/http/json";
import { exit, permanentExits } from "@rune/crds/contracts/pod";
import { JobCondition } from "@rune/crds/words/conditions";
import type { DynamicObject, KubeObject } from "kopf-ts";
import { endOf, isOutlived } from "../pods/main-container.ts";
import {
  type Credential,
  componentLabels,
  credentialsMount,
  credentialsSecret,
  credentialsVolume,
  job,
  jobSpecConfigMap,
  pulling,
  restrictedContainer,
  restrictedPod,
  schedulingOf,
  specMount,
  specVolume,
  temporaryMount,
  temporaryVolume,
} from "../pods/pod.ts";
import { jobBlocker, podsOf } from "../pods/problems.ts";
import type { Blocker } from "../shared/check.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { jobNameOfEpoch } from "../shared/names.ts";
import { Reason } from "../shared/reasons.ts";
import { reportedFailure } from "../shared/termination-message.ts";
import { ownedBy } from "./sandbox.ts";

/** State of the current epoch's agent or evaluator. */
export type WorkerState =
  | { state: "Absent" }
  /** `trouble`: why its pod doesn't start. */
  | { state: "Running"; hasPod?: boolean; trouble?: Blocker | null }
  /**
   * It isn't restarted in this epoch. `permanent`: another epoch would fail too. `output`: its termination message, if
   * it succeeded. `lingers`: a container that isn't ours keeps its pod running.
   */
  | { state: "Ended"; permanent: boolean; reason: string; message: string; output?: unknown; lingers?: boolean };

/** Whether a Job is complete or failed. */
export const hasEnded = (job: DynamicObject): boolean =>
  job.status?.conditions?.some(
    (c: { type: string; status: string }) => (c.type === JobCondition.Complete || c.type === JobCondition.Failed) && c.status === "True",
  ) ?? false;

/** A worker's Job, the pods that may include its own, and the reason if it got none. */
export interface SeenWorker {
  readonly job: DynamicObject | undefined;
  readonly pods: readonly DynamicObject[];
  readonly refusal?: string | undefined;
}

/** Derives a worker's state from its Job and pod; its program runs in `container`. */
export function workerState({ job, pods, refusal }: SeenWorker, container: string, now: Date): WorkerState {
  if (!job) return { state: "Absent" };
  const [pod] = podsOf(job, pods);
  const lingers = !hasEnded(job) && pod !== undefined && isOutlived(pod, container);
  if (!hasEnded(job) && !lingers) return { state: "Running", hasPod: pod !== undefined, trouble: jobBlocker(job, pods, now, refusal) };
  const terminated = pod && endOf(pod, container);
  const exitCode = terminated?.exitCode;
  const output = parseJSON(terminated?.message);
  const lost = { reason: Reason.EpochLost, message: exitCode === undefined ? "its pod vanished" : `it ended with exit code ${exitCode}` };
  return {
    state: "Ended",
    permanent: exitCode !== undefined && permanentExits.includes(exitCode),
    ...(reportedFailure(terminated?.message) ?? lost),
    ...(exitCode === exit.done && { output }),
    ...(lingers && { lingers }),
  };
}

/** A pod that has been terminating for longer than this is on an unreachable node. */
const patienceSeconds = 60;

/** Whether the program in `container` of one of these pods may still append to a log. */
export function mayStillWrite(pods: readonly DynamicObject[], container: string, now: Date): boolean {
  return pods.some((pod) => {
    const { metadata, status } = pod;
    const over = status?.phase === "Succeeded" || status?.phase === "Failed" || endOf(pod, container) !== undefined;
    const lost = metadata.deletionTimestamp && now.getTime() - Date.parse(metadata.deletionTimestamp) > patienceSeconds * 1000;
    return !over && !lost;
  });
}

/** A worker ends itself at its deadline; Kubernetes ends one that doesn't, this much later. */
const spareSeconds = 60;

export interface WorkerInput {
  readonly owner: KubeObject & { metadata: { uid: string } };
  readonly component: "agent" | "evaluator";
  /** Label that maps a pod to its owner. */
  readonly ownerLabel: string;
  readonly epoch: number;
  readonly document: unknown;
  readonly credentials: Partial<Record<Credential, string>>;
  readonly secondsLeft: number;
}

/** All objects of one epoch's worker, in the order of creation. */
export function workerObjects(input: WorkerInput, config: OperatorConfig): KubeObject[] {
  const { owner, component, ownerLabel, epoch } = input;
  const name = jobNameOfEpoch(owner, epoch);
  const labels = componentLabels(component, { ...ownedBy(owner, component, epoch), [ownerLabel]: owner.metadata.name });
  const pod = {
    ...restrictedPod(),
    ...pulling(config),
    ...schedulingOf(config.jobs),
    containers: [
      {
        name: component,
        image: config.images[component],
        imagePullPolicy: config.imagePullPolicy,
        securityContext: restrictedContainer,
        resources: config.helpers[component],
        volumeMounts: [specMount, credentialsMount, temporaryMount],
      },
    ],
    volumes: [specVolume(name), credentialsVolume(name), temporaryVolume("256Mi")],
    terminationGracePeriodSeconds: 10,
  };
  const activeDeadlineSeconds = Math.max(1, Math.ceil(input.secondsLeft) + spareSeconds);
  const { ttlSecondsAfterFinished } = config.jobs;
  return [
    credentialsSecret(owner, name, input.credentials),
    jobSpecConfigMap(owner, name, { spec: input.document }),
    job(owner, name, pod, { config, container: component, labels, activeDeadlineSeconds, ttlSecondsAfterFinished }),
  ];
}
