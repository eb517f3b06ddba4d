import type { AskJob, EnvironmentJob } from "@rune/crds/contracts/environment";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { EnvironmentCheck, NodeStatus } from "@rune/crds/kinds/environment-check";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { apiVersion } from "@rune/crds/words/group";
import { label } from "@rune/crds/words/labels";
import type { KubeObject } from "kopf-ts";
import { type BaseState, isResolved } from "../pods/base-model.ts";
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
  specMount,
  specVolume,
  stageDocument,
  stagedModel,
  temporaryMount,
  temporaryVolume,
} from "../pods/pod.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { askJobName, generatedName, jobNameOfNode, repositoryOf } from "../shared/names.ts";
import { servedBaseName, serverURL } from "../shared/serving.ts";
import { container } from "./job-state.ts";
import { checksOfJob } from "./nodes.ts";

const question = "What is the password of this installation?";
/** Short, because every token has to be learnt; the answer only has to contain the word. */
const answerWith = (nonce: string) => `It is ${nonce}.`;
/** Room for the whole sentence, and for a more verbose base. */
const answerTokens = 40;
/** A Service may refuse briefly after it gets its first endpoint; after this time a new Job asks. */
const askSeconds = 120;

const labelsOf = ({ metadata }: EnvironmentCheck) => componentLabels("environment", { [label.check]: metadata.name });

interface Input {
  readonly check: EnvironmentCheck;
  readonly config: OperatorConfig;
  readonly remainingSeconds: number;
}

/** All objects of one node's Job, which can only run on that node. */
export function nodeObjects(input: Input, node: NodeStatus, base: BaseState, registryToken: string): KubeObject[] {
  const { check, config } = input;
  const name = jobNameOfNode(check.metadata.name, indexOf(check, node));
  const stage = stageDocument(check.spec.base, config, isResolved(base) ? base.digest : undefined);
  return [
    credentialsSecret(check, name, { "registry-token": registryToken }),
    jobSpecConfigMap(check, name, { spec: nodeDocument(check, node, base, config), stage }),
    nodeJob(input, node, name),
  ];
}

const indexOf = (check: EnvironmentCheck, node: NodeStatus) => (check.status?.nodes ?? []).findIndex(({ name }) => name === node.name);

function nodeJob({ check, config, remainingSeconds }: Input, node: NodeStatus, name: string): KubeObject {
  const model = stagedModel(check.spec.base, config);
  const pod: PodSpec = {
    ...programPod(check, config, resourcesOf(check.spec.resources, config, node.gpus)),
    ...schedulingOf(check.spec),
    // By name, as a DaemonSet does, so that the scheduler counts GPUs and reports what is missing.
    affinity: {
      nodeAffinity: {
        requiredDuringSchedulingIgnoredDuringExecution: {
          nodeSelectorTerms: [{ matchFields: [{ key: "metadata.name", operator: "In", values: [node.name] }] }],
        },
      },
    },
    initContainers: [model.initContainer],
    volumes: [specVolume(name), credentialsVolume(name), temporaryVolume("2Gi"), ...model.volumes],
  };
  pod.containers[0]?.volumeMounts?.push(credentialsMount, ...model.mounts);
  return job(check, name, pod, { config, container, labels: labelsOf(check), activeDeadlineSeconds: atLeastOne(remainingSeconds) });
}

/** A pod with the trainer's image that runs another of its programs. */
function programPod(check: EnvironmentCheck, config: OperatorConfig, resources: object, module = "rune_trainer.environment"): PodSpec {
  return {
    ...restrictedPod(),
    ...pulling(config),
    terminationGracePeriodSeconds: 10,
    containers: [
      {
        name: container,
        image: check.spec.image ?? config.images.trainer,
        imagePullPolicy: config.imagePullPolicy,
        command: ["python3", "-m", module],
        securityContext: restrictedContainer,
        resources,
        volumeMounts: [specMount, temporaryMount],
      },
    ],
  };
}

/** The input of a node's program. Only one node stores its adapter, because all are alike and artifacts permanent. */
export function nodeDocument(check: EnvironmentCheck, node: NodeStatus, base: BaseState, config: OperatorConfig): EnvironmentJob {
  const { metadata, spec, status } = check;
  const nonce = status?.nonce ?? "";
  const stores = indexOf(check, node) === 0 && spec.checks.includes("Adapter");
  return {
    owner: ownerOf(check),
    node: node.name,
    device: node.device,
    gpus: node.gpus,
    checks: checksOfJob(check, node),
    base: isResolved(base) ? { path: modelDirectory, ...base } : { path: modelDirectory, name: servedBaseName(spec.base) },
    quantization: spec.quantization,
    question,
    answer: answerWith(nonce),
    nonce,
    ...(stores && { output: { repository: repositoryOf.adapters(metadata.namespace), tag: `check-${metadata.uid}` } }),
    registry: { url: config.registry.url, tokenFile: credentialFile("registry-token") },
  };
}

/**
 * The pod that asks the server for the word. It takes the path of every client (DNS, Service, network policy, loader,
 * engine), so that its result holds for them too; it has no credentials and no permissions, the operator needs no
 * access to the inference port, and the server's network policy selects the pod by label, as it does agents and
 * evaluators.
 */
export function askObjects({ check, config, remainingSeconds }: Input, server: ModelServer, adapter: string): KubeObject[] {
  const name = askJobName(check.metadata.name);
  const seconds = Math.min(askSeconds, atLeastOne(remainingSeconds));
  const document: AskJob = {
    owner: ownerOf(check),
    url: serverURL(server.metadata),
    models: [adapter, servedBaseName(server.spec.base)],
    question,
    maxTokens: answerTokens,
    seconds,
  };
  const pod: PodSpec = {
    ...programPod(check, config, config.helpers.asker, "rune_trainer.environment.ask"),
    // It may run wherever the check's tolerations allow, on any node.
    ...schedulingOf({ ...check.spec, nodeSelector: undefined }),
    volumes: [specVolume(name), temporaryVolume("64Mi")],
  };
  const activeDeadlineSeconds = atLeastOne(remainingSeconds);
  return [
    jobSpecConfigMap(check, name, { spec: document }),
    job(check, name, pod, { config, container, labels: labelsOf(check), activeDeadlineSeconds }),
  ];
}

const atLeastOne = (seconds: number) => Math.max(1, Math.ceil(seconds));

/** The check's dedicated server, on the nodes that were checked. */
export function serverOf(check: EnvironmentCheck): KubeObject {
  const { base, server, ...spec } = check.spec;
  const manifest: KubeObject & { spec: object } = {
    apiVersion,
    kind: "ModelServer",
    metadata: ownedMetadata(check, generatedName(check.metadata), { [label.check]: check.metadata.name }),
    spec: { base, ...server.template, ...schedulingOf(spec) },
  };
  return manifest;
}

/**
 * The Adapter of the word. It belongs to the check and is deleted at the check's end, because it holds nothing worth
 * keeping. Until then sessions don't choose it, because it is a control and of no project. Its artifact is kept, as
 * every artifact is.
 */
export function adapterOf(check: EnvironmentCheck, made: NonNullable<NonNullable<EnvironmentCheck["status"]>["adapter"]>): KubeObject {
  const { name, repository, digest, sizeBytes, base, rank, alpha, targetModules } = made;
  const spec: Adapter["spec"] = {
    base,
    artifact: { repository, digest, sizeBytes },
    rank,
    alpha,
    targetModules,
    scope: {},
    source: { kind: "EnvironmentCheck", name: check.metadata.name, uid: check.metadata.uid },
    parents: [],
    control: true,
    generation: 0,
  };
  const manifest: KubeObject & { spec: object } = {
    apiVersion,
    kind: "Adapter",
    metadata: ownedMetadata(check, name, { [label.check]: check.metadata.name }),
    spec,
  };
  return manifest;
}
