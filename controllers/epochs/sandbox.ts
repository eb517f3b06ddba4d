import { executionMiB } from "@rune/crds/contracts/pod";
import { landlockSubstitute, runnerPath, runnerVariable, sandboxPath } from "@rune/crds/contracts/runner";
import { amountOf } from "@rune/crds/fields/quantity";
import type { SandboxSpec } from "@rune/crds/fields/sandbox";
import { PodCondition } from "@rune/crds/words/conditions";
import { label } from "@rune/crds/words/labels";
import { port } from "@rune/crds/words/ports";
import { type Cache, type DynamicObject, isTerminal, type KubeObject, networkPolicies, ownerReference } from "kopf-ts";
import { endOf } from "../pods/main-container.ts";
import type { Pod, Secret } from "../pods/manifest.ts";
import {
  componentLabels,
  credentialsSecret,
  ownChild,
  ownedMetadata,
  podMetadata,
  pulling,
  restrictedContainer,
  restrictedPod,
  schedulingOf,
} from "../pods/pod.ts";
import { podStatusOf } from "../pods/problems.ts";
import type { Blocker } from "../shared/check.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { sandboxName, sandboxPolicyName } from "../shared/names.ts";
import { Reason } from "../shared/reasons.ts";
import { agentSessions, evaluations } from "../shared/resources.ts";

/** The sandbox of one epoch of a session or an evaluation. */
export interface SandboxRequest {
  readonly owner: KubeObject & { metadata: { uid: string } };
  readonly epoch: number;
  /** A user ID that no other live sandbox has, because RLIMIT_NPROC counts per user ID. */
  readonly uid: number;
  readonly spec: SandboxSpec;
  /** Which program may call the runner. */
  readonly caller: "agent" | "evaluator";
  readonly token: string;
}

/** Blocks the sandbox while its library's ConfigMap doesn't exist. */
export const libraryMissing = ({ libraryConfigMap }: SandboxSpec): Blocker => ({
  reason: Reason.LibraryMissing,
  message: `the ConfigMap ${libraryConfigMap} of spec.sandbox.libraryConfigMap doesn't exist; create it`,
  retrySeconds: 10,
});

/** Labels that select exactly the pods of one owner and one component. */
export function ownedBy(
  owner: { metadata: { uid: string } },
  component: "sandbox" | "agent" | "evaluator",
  epoch?: number,
): Record<string, string> {
  return {
    [`${label.component}-owner`]: owner.metadata.uid,
    [label.component]: component,
    ...(epoch === undefined ? {} : { [label.epoch]: String(epoch) }),
  };
}

/**
 * All objects of a sandbox, in the order of creation: the policy exists before the pod. It allows no egress, and
 * ingress only from this owner's agent to the runner's port.
 */
export function sandboxObjects(request: SandboxRequest, config: OperatorConfig): KubeObject[] {
  return [sandboxPolicy(request), sandboxToken(request), sandboxPod(request, config)];
}

export function sandboxPolicy({ owner, caller }: Pick<SandboxRequest, "owner" | "caller">): KubeObject {
  const policy: DynamicObject = {
    apiVersion: "networking.k8s.io/v1",
    kind: "NetworkPolicy",
    metadata: ownedMetadata(owner, sandboxPolicyName(owner)),
    spec: {
      podSelector: { matchLabels: ownedBy(owner, "sandbox") },
      policyTypes: ["Ingress", "Egress"],
      ingress: [{ from: [{ podSelector: { matchLabels: ownedBy(owner, caller) } }], ports: [{ protocol: "TCP", port: port.runner }] }],
      egress: [],
    },
  };
  return policy;
}

/**
 * The policy with the sandbox as a further owner, unless it has it already. If the session or evaluation is deleted, Kubernetes' garbage
 * collection then deletes the policy after the pod, whose program may still run until it is killed.
 */
export function policyToBind(
  { owner, caller }: Pick<SandboxRequest, "owner" | "caller">,
  sandbox: DynamicObject | undefined,
  cache: Cache,
): KubeObject[] {
  if (!sandbox || sandbox.metadata.deletionTimestamp || owner.metadata.deletionTimestamp || isTerminal(owner)) return [];
  const wanted = sandboxPolicy({ owner, caller });
  const found = ownChild(owner, cache(networkPolicies).get(wanted.metadata));
  if (!found || found.metadata.ownerReferences?.some(({ uid }) => uid === sandbox.metadata.uid)) return [];
  const ownerReferences = [ownerReference(owner), ownerReference(sandbox, { controller: false, blockOwnerDeletion: false })];
  return [{ ...wanted, metadata: { ...wanted.metadata, ownerReferences } }];
}

function sandboxToken({ owner, epoch, token }: SandboxRequest): Secret {
  return credentialsSecret(owner, sandboxName(owner, epoch), { "runner-token": token });
}

/**
 * Scratch volumes, in memory so that the kernel limits all files together, including unnamed ones. `out` holds what a
 * program and its tests may write (16 MiB each) with some room, `shm` semaphores and shared memory.
 */
const scratch = [
  { name: "out", mountPath: sandboxPath.out, mebibytes: 40 },
  { name: "tmp", mountPath: "/tmp", mebibytes: 8 },
  { name: "shm", mountPath: "/dev/shm", mebibytes: 16 },
];
/** The process that executions are forked from, with its kernel memory. */
const nurseryMiB = 32;

/** No API token, no service links, no DNS, nothing writable but sized scratch; memory and disk are fully reserved. */
export function sandboxPod({ owner, epoch, uid, spec }: SandboxRequest, config: OperatorConfig): Pod {
  const name = sandboxName(owner, epoch);
  const size = { cpu: spec.cpu ?? config.sandbox.cpu, memory: `${podMemoryMiB(spec, config)}Mi`, "ephemeral-storage": "128Mi" };
  const cpuRequest = spec.cpu ?? config.sandbox.cpuRequest ?? size.cpu;
  const runtimeClassName = spec.runtimeClassName ?? config.sandbox.runtimeClassName;
  const isSubstitute = runtimeClassName !== undefined && config.sandbox.landlockSubstitutes.includes(runtimeClassName);
  const pod: DynamicObject & { spec: Pod["spec"] } = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      ...ownedMetadata(owner, name),
      ...podMetadata(config, runner, componentLabels("sandbox", ownedBy(owner, "sandbox", epoch))),
    },
    spec: {
      ...restrictedPod(uid),
      ...pulling(config),
      ...schedulingOf(config.jobs),
      ...(runtimeClassName && { runtimeClassName }),
      // An unreachable resolver: lookups fail at once instead of hanging on the network policy.
      ...({ dnsPolicy: "None", dnsConfig: { nameservers: ["127.0.0.1"] } } as object),
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 1,
      containers: [
        {
          name: runner,
          image: config.images.sandbox,
          imagePullPolicy: config.imagePullPolicy,
          env: [
            { name: runnerVariable.tokenFile, value: sandboxPath.token },
            ...(isSubstitute ? [{ name: runnerVariable.withoutLandlock, value: landlockSubstitute }] : []),
          ],
          ports: [{ name: "runner", containerPort: port.runner }],
          securityContext: restrictedContainer,
          resources: { requests: { ...size, cpu: cpuRequest }, limits: size },
          readinessProbe: { httpGet: { path: runnerPath.health, port: port.runner }, periodSeconds: 1, timeoutSeconds: 5 },
          volumeMounts: [
            { name: "token", mountPath: sandboxPath.token, subPath: "runner-token", readOnly: true },
            ...scratch.map(({ name: volume, mountPath }) => ({ name: volume, mountPath })),
            ...(spec.libraryConfigMap ? [{ name: "lib", mountPath: sandboxPath.library, readOnly: true }] : []),
          ],
        },
      ],
      volumes: [
        { name: "token", secret: { secretName: name, defaultMode: 0o440 } },
        ...scratch.map((volume) => ({ name: volume.name, emptyDir: { medium: "Memory" as const, sizeLimit: `${volume.mebibytes}Mi` } })),
        ...(spec.libraryConfigMap ? [{ name: "lib", configMap: { name: spec.libraryConfigMap } }] : []),
      ],
    },
  };
  return pod;
}

/** The container of the runner. */
const runner = "runner";

/** State of the sandbox: the agent starts once it is Ready, and another epoch begins once it is Gone. */
export type SandboxState =
  | { state: "Absent" }
  | { state: "Starting"; message: string }
  | { state: "Ready"; ip: string; hostIP: string; podUID: string }
  | { state: "Gone"; message: string };

export function sandboxState(pod: DynamicObject | undefined): SandboxState {
  if (!pod) return { state: "Absent" };
  const { name, uid = "", deletionTimestamp } = pod.metadata;
  if (deletionTimestamp) return { state: "Gone", message: `sandbox pod ${name} is being deleted` };
  if (pod.status?.phase === "Failed" || pod.status?.phase === "Succeeded")
    return { state: "Gone", message: `sandbox pod ${name} ended: ${pod.status.reason ?? pod.status.phase}` };
  const isReady = pod.status?.conditions?.some(
    (c: { type: string; status: string }) => c.type === PodCondition.Ready && c.status === "True",
  );
  if (isReady && pod.status.podIP) return { state: "Ready", ip: pod.status.podIP, hostIP: pod.status.hostIP, podUID: uid };
  const ended = endOf(pod, runner);
  if (ended) return { state: "Gone", message: `sandbox pod ${name} ended: its runner ended with exit code ${ended.exitCode}` };
  const waiting = podStatusOf(pod).containerStatuses.find((container) => container.name === runner)?.state.waiting;
  const unscheduled = pod.status?.conditions?.find(
    (c: { type: string; status: string }) => c.type === PodCondition.PodScheduled && c.status === "False",
  );
  return { state: "Starting", message: waiting?.message ?? waiting?.reason ?? unscheduled?.message ?? `sandbox pod ${name} is starting` };
}

/**
 * Half of the requested memory, in MiB: one program's share. Its tests may use half as much, and the runner needs 64
 * MiB, so with 256Mi or more both survive a program that takes too much. Within what a pod's input may say.
 */
export function executionMemoryMiB(spec: SandboxSpec, config: OperatorConfig): number {
  return Math.min(executionMiB.most, Math.max(executionMiB.least, Math.floor(askedMiB(spec, config) / 2)));
}

/** The requested memory is for programs, tests and runner; in-memory files and the kernel's share are added. */
function podMemoryMiB(spec: SandboxSpec, config: OperatorConfig): number {
  return scratch.reduce((sum, { mebibytes }) => sum + mebibytes, Math.ceil(askedMiB(spec, config)) + nurseryMiB);
}

const askedMiB = (spec: SandboxSpec, config: OperatorConfig) => amountOf(spec.memory ?? config.sandbox.memory) / 2 ** 20;

/** A user ID that is not in `taken`; stable per key while it is free. */
export function sandboxUID(key: string, taken: ReadonlySet<number>, range: { start: number; size: number }): number {
  const first = [...key].reduce((hash, character) => (hash * 31 + character.charCodeAt(0)) >>> 0, 7) % range.size;
  for (let step = 0; step < range.size; step++) {
    const uid = range.start + ((first + step) % range.size);
    if (!taken.has(uid)) return uid;
  }
  throw new Error(`all ${range.size} user IDs for sandboxes are taken; widen sandbox.uidRange`);
}

const live = "live";
const bySandbox = (owner: KubeObject & { status?: { sandbox?: object } }) =>
  owner.status?.sandbox && !isTerminal(owner) ? live : undefined;

/** User IDs of all sandboxes that are in use, but for one owner's own. */
export function liveSandboxUIDs(cache: Cache, self: string): Set<number> {
  const owners = [...cache(agentSessions).byIndex(bySandbox, live), ...cache(evaluations).byIndex(bySandbox, live)];
  return new Set(owners.flatMap(({ metadata, status }) => (status?.sandbox && metadata.uid !== self ? [status.sandbox.uid] : [])));
}
