import { evaluationSubject, logStream } from "@rune/crds/artifact";
import { label } from "@rune/crds/common";
import type { Evaluation } from "@rune/crds/evaluation";
import type { EvaluatorJob } from "@rune/crds/job-spec";
import { port } from "@rune/crds/loader-api";
import type { KubeObject } from "kopf-ts";
import type { OperatorConfig } from "../config.ts";
import type { PodSpec } from "../manifest.ts";
import { jobNameOfEpoch, repositoryOf } from "../names.ts";
import {
  componentLabels,
  credentialFile,
  credentialsMount,
  credentialsSecret,
  credentialsVolume,
  job,
  jobSpecConfigMap,
  ownerOf,
  pulling,
  restrictedContainer,
  restrictedPod,
  specMount,
  specVolume,
  temporaryMount,
  temporaryVolume,
} from "../pod.ts";
import { executionMemoryMiB, ownedBy, type ProbeTargets } from "../sandbox.ts";
import { servedBaseName, serverURL } from "../serving.ts";
import type { World } from "./world.ts";

export interface EvaluatorInput {
  readonly world: World;
  readonly epoch: number;
  readonly arm: string;
  readonly sandboxIP: string;
  readonly targets: ProbeTargets;
  readonly deadline: Date;
  readonly credentials: NonNullable<World["credentials"]>;
  readonly config: OperatorConfig;
  readonly now: Date;
}

/** Everything of the evaluator of one epoch. */
export function evaluatorObjects(input: EvaluatorInput): KubeObject[] {
  const { world, epoch, credentials } = input;
  const { evaluation } = world;
  const name = jobNameOfEpoch(evaluation.metadata.name, epoch);
  const secret = credentialsSecret(evaluation, name, {
    "nats.creds": credentials.nats,
    "registry-token": credentials.registry,
    "runner-token": world.runnerToken,
  });
  return [secret, jobSpecConfigMap(evaluation, name, { spec: evaluatorDocument(input) }), evaluatorJobOf(input, name)];
}

function evaluatorJobOf({ world: { evaluation }, epoch, config, deadline, now }: EvaluatorInput, name: string): KubeObject {
  const labels = componentLabels("evaluator", { ...ownedBy(evaluation, "evaluator", epoch), [label.evaluation]: evaluation.metadata.name });
  const pod: PodSpec = {
    ...restrictedPod(),
    ...pulling(config),
    containers: [
      {
        name: "evaluator",
        image: config.images.evaluator,
        imagePullPolicy: config.imagePullPolicy,
        securityContext: restrictedContainer,
        resources: { requests: { cpu: "20m", memory: "96Mi" }, limits: { memory: "768Mi" } },
        volumeMounts: [specMount, credentialsMount, temporaryMount],
      },
    ],
    volumes: [specVolume(name), credentialsVolume(name), temporaryVolume("256Mi")],
    terminationGracePeriodSeconds: 10,
  };
  return job(evaluation, name, pod, {
    labels,
    activeDeadlineSeconds: Math.max(1, Math.ceil((deadline.getTime() - now.getTime()) / 1000) + spareSeconds),
  });
}

/** The evaluator ends itself at the deadline; Kubernetes ends one that doesn't. */
const spareSeconds = 60;

/** The evaluator's input, fully resolved. */
export function evaluatorDocument({ world, epoch, arm, sandboxIP, targets, deadline, config }: EvaluatorInput): EvaluatorJob {
  const { evaluation } = world;
  const { spec, metadata } = evaluation;
  return {
    owner: ownerOf(evaluation),
    epoch,
    arm,
    arms: spec.arms.map((each) => resolvedArm(each, world, metadata.namespace)),
    taskSet: spec.taskSet,
    samples: spec.samples,
    sampling: spec.sampling,
    seed: spec.seed,
    concurrency: spec.concurrency,
    gate: spec.gate,
    sandbox: {
      url: `http://${sandboxIP}:${port.runner}`,
      tokenFile: credentialFile("runner-token"),
      timeoutSeconds: spec.sandbox.timeoutSeconds ?? config.sandbox.timeoutSeconds,
      memoryMiB: executionMemoryMiB(spec.sandbox, config),
      probeTargets: { ...targets },
    },
    registry: { url: config.registry.url, tokenFile: credentialFile("registry-token") },
    report: { repository: repositoryOf.reports(metadata.namespace) },
    nats: {
      url: config.nats.url,
      credentialsFile: credentialFile("nats.creds"),
      stream: logStream,
      subject: evaluationSubject(metadata.uid),
    },
    ...(config.mlflow && { mlflow: config.mlflow }),
    deadline: deadline.toISOString(),
  };
}

function resolvedArm(
  arm: Evaluation["spec"]["arms"][number],
  { servers, adapters }: World,
  namespace: string,
): EvaluatorJob["arms"][number] {
  const server = servers.get(arm.serverRef.name);
  const base = server ? servedBaseName(server.spec.base) : "";
  const digest = arm.adapter ? adapters.get(arm.adapter)?.spec.artifact.digest : undefined;
  return {
    name: arm.name,
    model: { url: serverURL({ name: arm.serverRef.name, namespace }), base, name: arm.adapter ?? base },
    ...(digest && { adapterDigest: digest }),
  };
}
