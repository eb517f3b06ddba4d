import { credentialsPath, specPath } from "@rune/crds/contracts/pod";
import { type StageJob, stagePath } from "@rune/crds/contracts/stage";
import type { BaseModel } from "@rune/crds/fields/base-model";
import type { Resources } from "@rune/crds/fields/scheduling";
import { PodCondition } from "@rune/crds/words/conditions";
import { label } from "@rune/crds/words/labels";
import { type Context, isControlledBy, ownerReference, secrets } from "kopf-ts";
import type { OperatorConfig } from "../shared/config.ts";
import type {
  ConfigMap,
  Container,
  Job,
  KubeObject,
  PodSpec,
  PodTemplate,
  ResourceRequirements,
  Secret,
  Toleration,
  Volume,
  VolumeMount,
} from "./manifest.ts";
import { queueLabel } from "./problems.ts";

/** UID and GID of all of Rune's programs except the sandbox. */
export const programUID = 65532;
export const modelDirectory = "/models/base";
const claimDirectory = "/volume";

/** Pod security of the `restricted` standard, for programs that need no Kubernetes API. `uid` is for sandboxes. */
export function restrictedPod(uid = programUID): Partial<PodSpec> {
  return {
    automountServiceAccountToken: false,
    enableServiceLinks: false,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: uid,
      runAsGroup: uid,
      fsGroup: uid,
      fsGroupChangePolicy: "OnRootMismatch",
      seccompProfile: { type: "RuntimeDefault" },
    },
  };
}

/** Container security of the `restricted` standard with a read-only root. */
export const restrictedContainer = Object.freeze({
  allowPrivilegeEscalation: false,
  privileged: false,
  readOnlyRootFilesystem: true,
  runAsNonRoot: true,
  capabilities: { drop: ["ALL"] },
});

/** How this installation's images are pulled. */
export function pulling(config: OperatorConfig): Partial<PodSpec> {
  return config.imagePullSecrets.length > 0 ? { imagePullSecrets: config.imagePullSecrets } : {};
}

/** Labels by which network policies and people find a pod. */
export function componentLabels(
  component: "vllm" | "trainer" | "agent" | "evaluator" | "environment" | "sandbox",
  own: Record<string, string> = {},
): Record<string, string> {
  return {
    "app.kubernetes.io/name": "rune",
    "app.kubernetes.io/component": component,
    "app.kubernetes.io/managed-by": "rune-operator",
    [label.component]: component,
    ...own,
  };
}

/** Metadata of a pod: Rune's, over the installation's for all pods. kubectl shows the log of `container` by default. */
export function podMetadata(
  config: Pick<OperatorConfig, "pods">,
  container: string,
  labels: Record<string, string>,
  annotations: Record<string, string> = {},
): { labels: Record<string, string>; annotations: Record<string, string> } {
  return {
    labels: { ...config.pods.labels, ...labels },
    annotations: { ...config.pods.annotations, "kubectl.kubernetes.io/default-container": container, ...annotations },
  };
}

export interface Scheduling {
  nodeSelector?: Record<string, string>;
  tolerations?: Toleration[];
  priorityClassName?: string;
}

/** The scheduling fields of a kind's spec, in the form of a pod spec. */
export function schedulingOf({ nodeSelector, tolerations, priorityClassName }: Scheduling): Partial<PodSpec> {
  return { ...(nodeSelector && { nodeSelector }), ...(tolerations && { tolerations }), ...(priorityClassName && { priorityClassName }) };
}

/**
 * CPU is requested, and limited only where that is asked for, because a limit slows a program down on an idle node too;
 * memory is both, so that a program that exceeds it ends as OOMKilled; GPUs are both, as Kubernetes requires.
 */
export function resourcesOf(
  resources: Resources,
  config: Pick<OperatorConfig, "gpuResourceName">,
  gpus = resources.gpus ?? 0,
): ResourceRequirements {
  const gpu: Record<string, string> = gpus > 0 ? { [config.gpuResourceName]: String(gpus) } : {};
  const memory: Record<string, string> = resources.memory ? { memory: resources.memory } : {};
  const cpu: Record<string, string> = resources.cpu ? { cpu: resources.cpu } : {};
  const cpuLimit: Record<string, string> = resources.cpuLimit ? { cpu: resources.cpuLimit } : {};
  const requests = { ...cpu, ...memory, ...gpu };
  const limits = { ...cpuLimit, ...memory, ...gpu };
  return { ...(Object.keys(requests).length > 0 && { requests }), ...(Object.keys(limits).length > 0 && { limits }) };
}

/** Metadata of an object that `owner` owns and that is deleted with it. */
export function ownedMetadata(owner: KubeObject, name: string, labels: Record<string, string> = {}): KubeObject["metadata"] {
  return {
    name,
    namespace: owner.metadata.namespace,
    labels: { "app.kubernetes.io/managed-by": "rune-operator", ...labels },
    ownerReferences: [ownerReference(owner)],
  };
}

/** The child, unless another owner controls it: one of another kind, or a deleted object of the same name. */
export function ownChild<T extends KubeObject>(owner: KubeObject, child: T | undefined): T | undefined {
  return child && isControlledBy(child, owner) ? child : undefined;
}

/**
 * A pod's input, immutable: `spec.json` for its program and, where it needs a base model, `stage.json` for the stager.
 */
export function jobSpecConfigMap(
  owner: KubeObject,
  name: string,
  documents: { spec: unknown; stage?: StageJob },
  labels: Record<string, string> = {},
): ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownedMetadata(owner, name, labels),
    immutable: true,
    data: { "spec.json": JSON.stringify(documents.spec), ...(documents.stage && { "stage.json": JSON.stringify(documents.stage) }) },
  };
}

/** File names under `/rune/credentials`. */
export type Credential = "nats.creds" | "registry-token" | "runner-token";

/** A pod's credentials, only those that it needs. Immutable unless the pod outlives them. */
export function credentialsSecret(
  owner: KubeObject,
  name: string,
  credentials: Partial<Record<Credential, string>>,
  {
    immutable = true,
    labels = {},
    annotations,
  }: { immutable?: boolean; labels?: Record<string, string>; annotations?: Record<string, string> } = {},
): Secret {
  const data = Object.fromEntries(Object.entries(credentials).map(([file, value]) => [file, Buffer.from(value).toString("base64")]));
  const metadata = ownedMetadata(owner, name, labels);
  return { apiVersion: "v1", kind: "Secret", metadata: annotations ? { ...metadata, annotations } : metadata, immutable, data };
}

/**
 * The Secrets of pods that have ended, where they hold a login for a registry of one's own: unlike a signed token it doesn't end by
 * itself, so it goes with the work that it was made for.
 */
export async function spentLogins(
  owner: KubeObject,
  names: readonly string[],
  { client }: Pick<Context, "client">,
  { registry }: Pick<OperatorConfig, "registry">,
): Promise<KubeObject[]> {
  return registry.credentialsSecret ? await ownSecrets(owner, names, { client }) : [];
}

/** Those of these Secrets that exist and are the owner's; they are in no cache, so each costs a request. */
export async function ownSecrets(owner: KubeObject, names: readonly string[], { client }: Pick<Context, "client">): Promise<KubeObject[]> {
  const found = await Promise.all(names.map((name) => client.find(secrets, { namespace: owner.metadata.namespace, name })));
  return found.flatMap((secret) => ownChild(owner, secret) ?? []);
}

/** Path of a credential in a pod that mounts `credentialsMount`. */
export const credentialFile = (credential: Credential) => `${credentialsPath}/${credential}`;

export const specVolume = (configMap: string): Volume => ({ name: "rune-spec", configMap: { name: configMap } });
/** Mounted as a file: mounting the directory would prevent the mount of `/rune/credentials` inside it. */
export const specMount: VolumeMount = { name: "rune-spec", mountPath: specPath, subPath: "spec.json", readOnly: true };
export const credentialsVolume = (secret: string): Volume => ({
  name: "rune-credentials",
  secret: { secretName: secret, defaultMode: 0o440 },
});
export const credentialsMount: VolumeMount = { name: "rune-credentials", mountPath: credentialsPath, readOnly: true };
/** The only writable directory of a program with a read-only root. */
export const temporaryVolume = (sizeLimit?: string): Volume => ({ name: "tmp", emptyDir: sizeLimit ? { sizeLimit } : {} });
export const temporaryMount: VolumeMount = { name: "tmp", mountPath: "/tmp" };

/** For processes of one container that exchange tensors. What is in it counts as the container's memory. */
export const sharedMemoryVolume = (sizeLimit: string): Volume => ({ name: "shm", emptyDir: { medium: "Memory", sizeLimit } });
export const sharedMemoryMount: VolumeMount = { name: "shm", mountPath: "/dev/shm" };

/**
 * What a pod needs for a base model: volumes, the init container that stages it, and read-only mounts for its users.
 */
export interface StagedModel {
  readonly volumes: Volume[];
  readonly initContainer: Container;
  readonly mounts: VolumeMount[];
}

/** The part of a hub source that identifies the model (not its access token). */
export const hubSource = ({ repository, revision }: NonNullable<BaseModel["huggingFace"]>) => ({ repository, revision });

/** The stager's input. `expectedDigest` is set once the identity is known; later pods get the same files or none. */
export function stageDocument(base: BaseModel, config: OperatorConfig, expectedDigest?: string): StageJob {
  const source = base.pvc
    ? { pvc: { path: `${claimDirectory}/${base.pvc.path.replace(/^\/+/, "")}` } }
    : { huggingFace: base.huggingFace && hubSource(base.huggingFace), oci: base.oci };
  return {
    base: source,
    target: modelDirectory,
    ...(expectedDigest && { expectedDigest }),
    ...(base.oci && { registry: { url: config.registry.url, tokenFile: credentialFile("registry-token") } }),
  };
}

/** The stager's way to the hub. */
function hubEnvironment({ tokenSecret }: NonNullable<BaseModel["huggingFace"]>, { hub }: OperatorConfig): NonNullable<Container["env"]> {
  const values = { HF_ENDPOINT: hub.endpoint, HTTPS_PROXY: hub.proxy, NO_PROXY: hub.noProxy };
  return [
    ...(tokenSecret ? [{ name: "HF_TOKEN", valueFrom: { secretKeyRef: tokenSecret } }] : []),
    ...Object.entries(values).flatMap(([name, value]) => (value ? [{ name, value }] : [])),
  ];
}

/** Stages the base model onto a volume of the pod, which must have `specVolume` and `credentialsVolume`. */
export function stagedModel(base: BaseModel, config: OperatorConfig): StagedModel {
  const env = base.huggingFace ? hubEnvironment(base.huggingFace, config) : [];
  const claim: VolumeMount[] = base.pvc ? [{ name: "base-claim", mountPath: claimDirectory, readOnly: true }] : [];
  return {
    volumes: [
      { name: "models", emptyDir: {} },
      ...(base.pvc ? [{ name: "base-claim", persistentVolumeClaim: { claimName: base.pvc.claimName, readOnly: true } }] : []),
    ],
    initContainer: {
      name: "stage-model",
      image: config.images.adapterLoader,
      imagePullPolicy: config.imagePullPolicy,
      args: ["stage"],
      securityContext: restrictedContainer,
      terminationMessagePolicy: "FallbackToLogsOnError",
      ...(env.length > 0 && { env }),
      resources: config.helpers.stager,
      volumeMounts: [
        { ...specMount, mountPath: stagePath, subPath: "stage.json" },
        ...(base.oci ? [credentialsMount] : []),
        { name: "models", mountPath: "/models" },
        ...claim,
        temporaryMount,
      ],
    },
    mounts: [{ name: "models", mountPath: "/models", readOnly: true }, ...claim],
  };
}

export interface JobOptions {
  readonly config: Pick<OperatorConfig, "pods">;
  /** The container that runs the program. */
  readonly container: string;
  readonly labels: Record<string, string>;
  readonly activeDeadlineSeconds?: number;
  /** How long it stays when it has ended; for as long as its owner does, where this is unset. */
  readonly ttlSecondsAfterFinished?: number;
  /** Kueue's LocalQueue; Kueue then unsuspends the Job when it admits it. */
  readonly queueName?: string;
}

/** One attempt: a Job of one pod without retries by Kubernetes, because the operator decides about new attempts. */
export function job(
  owner: KubeObject,
  name: string,
  pod: PodSpec,
  { config, container, labels, activeDeadlineSeconds, ttlSecondsAfterFinished, queueName }: JobOptions,
): Job {
  const template: PodTemplate = { metadata: podMetadata(config, container, labels), spec: { restartPolicy: "Never", ...pod } };
  const queue: Record<string, string> = queueName ? { [queueLabel]: queueName } : {};
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: ownedMetadata(owner, name, { ...labels, ...queue }),
    spec: {
      completionMode: "Indexed",
      completions: 1,
      parallelism: 1,
      backoffLimit: 0,
      podReplacementPolicy: "Failed",
      // A pod that is drained, evicted or preempted is deleted with its status; this way its Job says why it failed.
      podFailurePolicy: { rules: [{ action: "FailJob", onPodConditions: [{ type: PodCondition.DisruptionTarget, status: "True" }] }] },
      ...(activeDeadlineSeconds !== undefined && { activeDeadlineSeconds }),
      ...(ttlSecondsAfterFinished !== undefined && { ttlSecondsAfterFinished }),
      ...(queueName && { suspend: true }),
      template,
    },
  };
}

/** The `owner` entry of every pod's input document. */
export function ownerOf(object: KubeObject & { metadata: { namespace?: string; uid?: string } }): {
  kind: string;
  namespace: string;
  name: string;
  uid: string;
} {
  const { namespace = "", name, uid = "" } = object.metadata;
  return { kind: object.kind, namespace, name, uid };
}
