import { canonicalJSON, sha256 } from "@rune/clients/registry/digest";
import type { LoaderConfig } from "@rune/crds/contracts/loader";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { label } from "@rune/crds/words/labels";
import { port } from "@rune/crds/words/ports";
import type { ConfigMap, Container, KubeObject, PodTemplate, Secret } from "../pods/manifest.ts";
import {
  componentLabels,
  credentialsSecret,
  credentialsVolume,
  modelDirectory,
  ownedMetadata,
  podMetadata,
  pulling,
  restrictedContainer,
  restrictedPod,
  schedulingOf,
  sharedMemoryVolume,
  specMount,
  specVolume,
  stageDocument,
  stagedModel,
  temporaryMount,
  temporaryVolume,
} from "../pods/pod.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { headlessServiceName } from "../shared/names.ts";
import { servedBaseName } from "../shared/serving.ts";
import { engineContainer, graceSeconds } from "./engine-container.ts";

export const adapterDirectory = "/adapters";
const inputsAnnotation = `${label.server}-inputs`;
export const tokenRenewalAnnotation = `${label.server}-token-renewal`;

/** Selects the vLLM pods of one server. */
export const podLabels = (server: ModelServer) => ({ [label.component]: "vllm", [label.server]: server.metadata.name });
/** Name of the ConfigMap and of the Secret that its pods mount. */
export const inputsName = (server: ModelServer) => `${server.metadata.name}-engine`;

/** The loader's input, without what is only known later. */
export function loaderDocument(server: ModelServer, config: OperatorConfig, adminKeys: LoaderConfig["adminKeys"]): LoaderConfig {
  return {
    base: { name: servedBaseName(server.spec.base), path: modelDirectory },
    engineURL: `http://127.0.0.1:${port.engine}`,
    registryURL: config.registry.url,
    adapterDirectory,
    slots: server.spec.adapters.slots,
    maxRank: server.spec.adapters.maxRank,
    adminKeys,
  };
}

/**
 * Inputs of stager and loader. Unlike a job's they are mutable: once the base model's identity is known, later pods
 * must stage the same. Running pods aren't restarted for it, because it isn't part of the hash in their template.
 */
export function inputs(server: ModelServer, config: OperatorConfig, loader: LoaderConfig, baseDigest: string | undefined): ConfigMap {
  const base = { ...loader.base, ...(baseDigest && { digest: baseDigest }) };
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: ownedMetadata(server, inputsName(server), podLabels(server)),
    data: {
      "spec.json": JSON.stringify({ ...loader, base }),
      "stage.json": JSON.stringify(stageDocument(server.spec.base, config, baseDigest)),
    },
  };
}

/**
 * The stagers' token for pulling the base model; renewed long before it expires, because pods are created at any time.
 */
export function baseModelToken(server: ModelServer, token: string, renewal: Date): Secret {
  const annotations = { [tokenRenewalAnnotation]: renewal.toISOString() };
  return credentialsSecret(
    server,
    inputsName(server),
    { "registry-token": token },
    { immutable: false, labels: podLabels(server), annotations },
  );
}

export function statefulSet(
  server: ModelServer,
  config: OperatorConfig,
  loader: LoaderConfig,
): KubeObject & { spec: { template: PodTemplate } & Record<string, unknown> } {
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: ownedMetadata(server, server.metadata.name, podLabels(server)),
    spec: {
      replicas: server.spec.replicas,
      serviceName: headlessServiceName(server.metadata.name),
      podManagementPolicy: "Parallel",
      updateStrategy: { type: "RollingUpdate" },
      selector: { matchLabels: podLabels(server) },
      template: podTemplate(server, config, loader),
    },
  };
}

function podTemplate(server: ModelServer, config: OperatorConfig, loader: LoaderConfig): PodTemplate {
  const base = stagedModel(server.spec.base, config);
  const labels = componentLabels("vllm", podLabels(server));
  return {
    metadata: podMetadata(config, "vllm", labels, { [inputsAnnotation]: sha256(canonicalJSON(loader)).slice(7, 23) }),
    spec: {
      ...restrictedPod(),
      ...pulling(config),
      ...schedulingOf(server.spec),
      terminationGracePeriodSeconds: graceSeconds,
      initContainers: [base.initContainer, loaderContainer(config)],
      containers: [engineContainer(server, config, base.mounts)],
      volumes: [
        ...base.volumes,
        specVolume(inputsName(server)),
        ...(server.spec.base.oci ? [credentialsVolume(inputsName(server))] : []),
        { name: "adapters", emptyDir: {} },
        sharedMemoryVolume(config.engine.sharedMemory),
        temporaryVolume("8Gi"),
      ],
    },
  };
}

/** A native sidecar: it starts before vLLM and stops after it. */
function loaderContainer(config: OperatorConfig): Container {
  return {
    name: "loader",
    image: config.images.adapterLoader,
    imagePullPolicy: config.imagePullPolicy,
    restartPolicy: "Always",
    env: [{ name: "POD_UID", valueFrom: { fieldRef: { fieldPath: "metadata.uid" } } }],
    ports: [
      { name: "http", containerPort: port.inference },
      { name: "admin", containerPort: port.admin },
      { name: "metrics", containerPort: port.metrics },
    ],
    securityContext: restrictedContainer,
    resources: config.helpers.loader,
    volumeMounts: [
      specMount,
      { name: "models", mountPath: "/models", readOnly: true },
      { name: "adapters", mountPath: adapterDirectory },
      temporaryMount,
    ],
    startupProbe: { httpGet: { path: "/healthz", port: port.metrics }, periodSeconds: 1, failureThreshold: 120 },
    readinessProbe: { httpGet: { path: "/readyz", port: port.metrics }, periodSeconds: 5, timeoutSeconds: 5 },
    livenessProbe: { httpGet: { path: "/healthz", port: port.metrics }, periodSeconds: 10, timeoutSeconds: 5, failureThreshold: 6 },
  };
}
