import type { Losses } from "@rune/crds/fields/losses";
import { label } from "@rune/crds/words/labels";
import { type Cache, type DynamicObject, jobs, type KubeObject, type Outcome, pods, progressing, timestamp, waiting } from "kopf-ts";
import { podlessSeconds } from "../pods/problems.ts";
import { blocked } from "../shared/check.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { sandboxName } from "../shared/names.ts";
import { Reason } from "../shared/reasons.ts";
import { ownedBy, type SandboxState, sandboxUID } from "./sandbox.ts";
import { hasEnded, type WorkerState } from "./worker.ts";

/** One epoch is one sandbox and one worker (an agent or an evaluator). If either is lost, the next epoch continues. */
export interface EpochWorld {
  readonly takenUIDs: ReadonlySet<number>;
  readonly sandboxPod: DynamicObject | undefined;
  readonly sandbox: SandboxState;
  readonly job: DynamicObject | undefined;
  readonly worker: WorkerState;
  /** Number of programs executed so far, over all epochs. */
  readonly progress: number;
  /** Live objects that other epochs left behind. */
  readonly leftovers: readonly KubeObject[];
  /** What is needed no more, once the work is over. */
  readonly cleanup: readonly KubeObject[];
}

/** An object that works in epochs, with the fields of its status that record them. */
export interface EpochOwner {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly uid: string };
  readonly status?: {
    readonly epoch?: number;
    readonly startTime?: string;
    readonly losses?: Losses;
    readonly sandbox?: { readonly pod: string; readonly uid: number; readonly podUID?: string };
  };
}

export type EpochStep =
  | { step: "CreateSandbox" }
  | { step: "AwaitSandbox"; message: string }
  | { step: "StartWorker"; ip: string; hostIP: string; podUID: string }
  | { step: "Working" }
  | { step: "Lost"; message: string };

/** Step of the current epoch: sandbox first, then the worker, until one of them is lost. */
export function epochStep({ sandbox, worker }: EpochWorld, pod: string): EpochStep {
  if (worker.state === "Ended") return { step: "Lost", message: worker.message };
  switch (sandbox.state) {
    case "Gone":
      return { step: "Lost", message: sandbox.message };
    case "Absent":
      return worker.state === "Running" ? { step: "Lost", message: `sandbox pod ${pod} is gone` } : { step: "CreateSandbox" };
    case "Starting":
      // On a busy node a readiness probe can be late; a running worker continues.
      return worker.state === "Running" ? { step: "Working" } : { step: "AwaitSandbox", message: sandbox.message };
    case "Ready":
      return worker.state === "Running"
        ? { step: "Working" }
        : { step: "StartWorker", ip: sandbox.ip, hostIP: sandbox.hostIP, podUID: sandbox.podUID };
    default:
      return sandbox satisfies never;
  }
}

/** The epoch is raised in status before its objects exist, so an older worker is fenced before a newer one starts. */
export function beginEpoch(owner: EpochOwner, world: EpochWorld, config: OperatorConfig, why: string, status: object = {}): Outcome {
  const epoch = (owner.status?.epoch ?? 0) + 1;
  const uid = owner.status?.sandbox?.uid ?? sandboxUID(owner.metadata.uid, world.takenUIDs, config.sandbox.uidRange);
  const sandbox = { pod: sandboxName(owner, epoch), uid };
  return progressing(Reason.SandboxStarting, why, { ...status, epoch, sandbox })
    .deleting(...livePods(world))
    .atOnce();
}

/** The next epoch after a loss; objects of the current one are deleted. */
export function nextEpoch(owner: EpochOwner, world: EpochWorld, config: OperatorConfig, why: string, now: Date): Outcome {
  const epoch = owner.status?.epoch ?? 0;
  const losses = { ...lossesWith(owner, world.progress), time: timestamp(now), message: why.slice(0, 1024) };
  return beginEpoch(owner, world, config, `epoch ${epoch + 1} goes on where the log ends: ${why}`, { losses }).event(
    "Warning",
    Reason.EpochLost,
    `epoch ${epoch} is lost: ${why}`,
  );
}

/** Limit of consecutive losses, beyond chance; with their pauses that is about an hour. */
const mostLosses = 20;
const longestPauseSeconds = 300;

/** The count if the current epoch is lost too. A program executed since the last loss restarts the count. */
export function lossesWith({ status }: EpochOwner, progress: number): Pick<Losses, "count" | "progress"> {
  const before = status?.losses;
  return { count: before && progress <= before.progress ? before.count + 1 : 1, progress };
}

/**
 * Why no further epoch is begun: too many in a row are recorded as lost, with no program executed since. The record decides, not
 * what is left of the last epoch, which is being deleted. Null while the work continues.
 */
export function exhausted({ status }: EpochOwner, progress: number): string | null {
  const { losses } = status ?? {};
  if (!losses || losses.count < mostLosses || progress > losses.progress) return null;
  return `${losses.count} epochs in a row were lost; the last one: ${losses.message ?? "see the events of this object"}`;
}

/** The first loss has no pause; each further one without progress doubles it, so that an outage can pass. */
export function paused({ status }: EpochOwner, now: Date): Outcome | null {
  const { count, time } = status?.losses ?? { count: 0, time: "" };
  if (count < 2) return null;
  const end = Date.parse(time) + Math.min(longestPauseSeconds, 2 ** (count - 1)) * 1000;
  const seconds = (end - now.getTime()) / 1000;
  if (seconds <= 0) return null;
  return waiting(Reason.EpochLost, `pauses after ${count} lost epochs in a row; the events of this object say why they were lost`, seconds);
}

/** Reports a running worker, or what prevents its pod from starting. */
export function working({ worker }: EpochWorld, outcome: Outcome): Outcome {
  if (worker.state !== "Running") return outcome;
  if (worker.trouble) return blocked(worker.trouble);
  return worker.hasPod ? outcome : outcome.again(podlessSeconds);
}

/**
 * Live sandboxes and workers of other epochs, left if the operator exited between raising the epoch and deleting them.
 */
export function leftoversOf(
  owner: EpochOwner & KubeObject & { metadata: { uid: string } },
  component: "agent" | "evaluator",
  cache: Cache,
): KubeObject[] {
  const { namespace } = owner.metadata;
  const epoch = String(owner.status?.epoch ?? 0);
  const isOther = ({ metadata }: KubeObject) => metadata.labels?.[label.epoch] !== epoch && !metadata.deletionTimestamp;
  const workers = cache(jobs).list({ namespace, labels: ownedBy(owner, component) });
  const sandboxes = cache(pods).list({ namespace, labels: ownedBy(owner, "sandbox") });
  return [...workers.filter((job) => !hasEnded(job)), ...sandboxes].filter(isOther);
}

/** Schedules a pass at the deadline, even if nothing changes until then. */
export function untilDeadline(outcome: Outcome, { status }: EpochOwner, deadline: Date, now: Date): Outcome {
  const isFinal = outcome.kind === "failed" || outcome.kind === "succeeded" || outcome.kind === "unchanged";
  return isFinal || !status?.startTime ? outcome : outcome.again(Math.max(1, (deadline.getTime() - now.getTime()) / 1000));
}

/** The epoch is raised too, so that the worker that is being stopped is fenced from its successor. */
export function suspended(owner: EpochOwner, world: EpochWorld): Outcome {
  const running = livePods(world);
  const { epoch = 0, sandbox } = owner.status ?? {};
  const next =
    running.length > 0 && sandbox ? { epoch: epoch + 1, sandbox: { pod: sandboxName(owner, epoch + 1), uid: sandbox.uid } } : undefined;
  return progressing(Reason.Suspended, "spec.suspend is true; set it back to go on where the log ends", next).deleting(...running);
}

/** What of an epoch is still there: the worker's Job while it runs or lingers, and the sandbox. Ended Jobs stay for their time, with their logs. */
export function livePods({ job, worker, sandboxPod }: Pick<EpochWorld, "job" | "worker" | "sandboxPod">): KubeObject[] {
  return [...(job && worker.state === "Running" ? [job] : []), ...lingeringWorker({ job, worker }), ...liveSandbox({ sandboxPod })];
}

/** The Job of a worker that has ended, where a container that isn't ours keeps it running. */
export function lingeringWorker({ job, worker }: Pick<EpochWorld, "job" | "worker">): KubeObject[] {
  return job && worker.state === "Ended" && worker.lingers ? [job] : [];
}

/** The sandbox, unless it is being deleted. */
export function liveSandbox({ sandboxPod }: Pick<EpochWorld, "sandboxPod">): KubeObject[] {
  return sandboxPod && !sandboxPod.metadata.deletionTimestamp ? [sandboxPod] : [];
}

/** No worker starts before the isolation proof has addresses to try. */
export function proofTargetMissing(): Outcome {
  return waiting(
    Reason.ProofTargetMissing,
    "one of the services that the isolation proof tries (canary, cluster DNS, model server, API server) has no cluster address yet",
    10,
  );
}
