import type { AdapterConfig } from "@rune/crds/contracts/artifact";
import { logStream } from "@rune/crds/contracts/session-log";
import type { TrainerJob, TrainerResult } from "@rune/crds/contracts/trainer";
import { progressSubject } from "@rune/crds/contracts/trainer";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { methodOf } from "@rune/crds/kinds/methods";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { label } from "@rune/crds/words/labels";
import type { KubeObject } from "kopf-ts";
import type { BaseIdentity } from "../pods/base-model.ts";
import type { PodSpec } from "../pods/manifest.ts";
import {
  componentLabels,
  credentialFile,
  credentialsMount,
  credentialsSecret,
  credentialsVolume,
  job,
  jobSpecConfigMap,
  modelDirectory,
  ownedMetadata,
  ownerOf,
  pulling,
  resourcesOf,
  restrictedContainer,
  restrictedPod,
  schedulingOf,
  sharedMemoryMount,
  sharedMemoryVolume,
  specMount,
  specVolume,
  stageDocument,
  stagedModel,
  temporaryMount,
  temporaryVolume,
} from "../pods/pod.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { legalLabels, scopeLabels } from "../shared/labels.ts";
import { generatedName, jobNameOfRun } from "../shared/names.ts";
import { controlMadeBy } from "../shared/source-run.ts";
import { container } from "./attempts.ts";
import { descentOf } from "./lineage.ts";
import { outputKindOf, outputRepositoryOf } from "./methods.ts";
import type { World } from "./world.ts";

const checkpointDirectory = "/checkpoints";
/**
 * Of `/dev/shm`, through which NCCL passes gradients between GPUs that can't reach each other directly. A container has
 * 64 MiB by itself, and NVIDIA recommends 1 GB (NCCL user guide, "Troubleshooting", on Docker).
 */
const sharedMemory = "1Gi";
/** SIGTERM to SIGKILL: long enough to write a checkpoint. */
const graceSeconds = 60;

export interface AttemptInput {
  readonly run: TrainingRun;
  readonly number: number;
  readonly base: BaseIdentity;
  readonly config: OperatorConfig;
  readonly remainingSeconds: number;
  /** Not needed yet where a queue admits the Job. */
  readonly credentials?: World["credentials"];
}

/** All objects of one attempt. The volume belongs to the run, so that later attempts find earlier checkpoints. */
export function attemptObjects(input: AttemptInput): KubeObject[] {
  const { run, number, config, base, credentials } = input;
  const name = jobNameOfRun(run.metadata.name, number);
  const stage = stageDocument(run.spec.base, config, base.digest);
  const secrets = credentials && !run.spec.queueName ? [attemptSecret(run, number, credentials)] : [];
  return [checkpointVolume(run), ...secrets, jobSpecConfigMap(run, name, { spec: trainerDocument(input), stage }), trainerJob(input, name)];
}

/**
 * The credentials of one attempt. For a queued Job they are created after its admission, and its pod waits for them.
 */
export function attemptSecret(run: TrainingRun, number: number, credentials: NonNullable<World["credentials"]>): KubeObject {
  const files = { "registry-token": credentials.registryToken, "nats.creds": credentials.progress };
  return credentialsSecret(run, jobNameOfRun(run.metadata.name, number), files);
}

function checkpointVolume(run: TrainingRun): KubeObject {
  const { size, storageClassName } = run.spec.checkpoint;
  const claim: KubeObject & { spec: object } = {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: ownedMetadata(run, checkpointClaim(run)),
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: size } }, ...(storageClassName && { storageClassName }) },
  };
  return claim;
}

export const checkpointClaim = (run: TrainingRun) => `${run.metadata.name}-checkpoints`;

function trainerJob({ run, number, config, remainingSeconds }: AttemptInput, name: string): KubeObject {
  const labels = componentLabels("trainer", { [label.run]: run.metadata.name, [label.attempt]: String(number) });
  const model = stagedModel(run.spec.base, config);
  const workers = workersOf(run);
  const pod: PodSpec = {
    ...restrictedPod(),
    ...pulling(config),
    ...schedulingOf(run.spec),
    terminationGracePeriodSeconds: graceSeconds,
    initContainers: [model.initContainer],
    containers: [
      {
        name: container,
        image: run.spec.image ?? config.images.trainer,
        imagePullPolicy: config.imagePullPolicy,
        securityContext: restrictedContainer,
        resources: resourcesOf(run.spec.resources, config),
        volumeMounts: [
          specMount,
          credentialsMount,
          { name: "checkpoints", mountPath: checkpointDirectory },
          ...(workers > 1 ? [sharedMemoryMount] : []),
          temporaryMount,
          ...model.mounts,
        ],
      },
    ],
    volumes: [
      specVolume(name),
      credentialsVolume(name),
      { name: "checkpoints", persistentVolumeClaim: { claimName: checkpointClaim(run) } },
      ...(workers > 1 ? [sharedMemoryVolume(sharedMemory)] : []),
      // A hypernetwork's weights are here before they are stored, and a generator's when they are read: gigabytes.
      temporaryVolume(),
      ...model.volumes,
    ],
  };
  const activeDeadlineSeconds = Math.max(1, Math.ceil(remainingSeconds));
  return job(run, name, pod, { config, container, labels, activeDeadlineSeconds, queueName: run.spec.queueName });
}

/** The trainer's input, fully resolved. */
export function trainerDocument({ run, number, base, config }: AttemptInput): TrainerJob {
  const { corpus, inputs } = run.status ?? {};
  const method = methodOf(run);
  const workers = workersOf(run);
  return {
    owner: ownerOf(run),
    attempt: number,
    ...(workers > 1 && { workers }),
    method,
    [method]: run.spec[method],
    base: { path: modelDirectory, ...base },
    ...(run.spec.corpus && {
      corpus: { trajectories: corpus?.trajectories ?? [], include: run.spec.corpus.include, digest: corpus?.digest ?? "" },
    }),
    adapters: (inputs?.adapters ?? []).map(({ name, repository, digest }) => ({ name, repository, digest })),
    ...(inputs?.hypernetwork && { generator: { repository: inputs.hypernetwork.repository, digest: inputs.hypernetwork.digest } }),
    output: { repository: outputRepositoryOf(run), ...scopeOf(run), ...descentOf(run) },
    checkpoint: { directory: checkpointDirectory, everySteps: run.spec.checkpoint.everySteps },
    registry: { url: config.registry.url, tokenFile: credentialFile("registry-token") },
    nats: {
      url: config.nats.url,
      credentialsFile: credentialFile("nats.creds"),
      stream: logStream,
      subject: progressSubject(run.metadata.uid),
    },
    ...(config.mlflow && { mlflow: config.mlflow }),
  };
}

/** Processes of the trainer: one for each GPU, and one without any. */
const workersOf = ({ spec }: TrainingRun) => Math.max(1, spec.resources.gpus ?? 0);

/** A hypernetwork has no scope; each of several adapters has its session's, unless the run specifies one. */
function scopeOf(run: TrainingRun): Pick<TrainerJob["output"], "scope"> {
  const { scope } = run.spec.output;
  if (outputKindOf(run) !== "Adapter") return outputKindOf(run) === "Adapters" && scope ? { scope } : {};
  return { scope: scope ?? run.status?.corpus?.scope ?? run.status?.inputs?.scope ?? {} };
}

/** An Adapter of a run. It has no owner, because it outlives the run. */
export function adapterOf(
  run: TrainingRun,
  result: Pick<TrainerResult, "repository" | "digest" | "sizeBytes">,
  config: AdapterConfig,
): Adapter & KubeObject {
  const scope = config.scope;
  const adapter: Pick<Adapter, "apiVersion" | "kind" | "spec"> & {
    metadata: { name: string; namespace: string; labels: Record<string, string> };
  } = {
    apiVersion: run.apiVersion,
    kind: "Adapter",
    metadata: {
      name: generatedName(run.metadata, result.digest),
      namespace: run.metadata.namespace,
      labels: {
        [label.run]: run.metadata.name,
        [label.method]: methodOf(run),
        ...legalLabels({ [label.session]: config.session?.name, [label.control]: controlMadeBy(run) }),
        ...scopeLabels(scope),
      },
    },
    spec: {
      base: config.base,
      artifact: { repository: result.repository, digest: result.digest, sizeBytes: result.sizeBytes },
      rank: config.rank,
      alpha: config.alpha,
      targetModules: config.targetModules,
      scope,
      source: config.source,
      parents: config.parents,
      generation: config.generation,
      ...(config.control && { control: config.control }),
    },
  };
  return adapter as Adapter & KubeObject;
}
