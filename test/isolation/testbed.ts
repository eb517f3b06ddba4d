import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { BuiltImage } from "../../cluster/api.ts";
import { settings } from "../../cluster/settings.ts";
import { type SandboxRequest, sandboxObjects } from "../../controllers/epochs/sandbox.ts";
import type { Container, Pod } from "../../controllers/pods/manifest.ts";
import { restrictedContainer, restrictedPod } from "../../controllers/pods/pod.ts";
import { operatorConfig } from "../../controllers/shared/config.ts";
import { port } from "../../crds/words/ports.ts";
import { type DynamicObject, type KubeObject, ownerReference } from "../../kopf-ts/src/index.ts";

/*
 * Sandboxes as the operator makes them, each behind some of its layers only: the operator's own manifests, without the NetworkPolicy, or with
 * another program in the runner's place that locks nothing. Beside each is a neighbour that nobody may reach, and one more in a pod of its own.
 */

/** Which layers a sandbox stands behind. What the container itself stops is stopped in all of them. */
export interface Layers {
  readonly name: string;
  /** What it is called in the table. */
  readonly title: string;
  readonly policy: boolean;
  readonly locks: boolean;
  readonly runtimeClass?: string;
}

export const layerings: readonly Layers[] = [
  { name: "neither", title: "the container alone", policy: false, locks: false },
  { name: "policy", title: "NetworkPolicy alone", policy: true, locks: false },
  { name: "locks", title: "process locks alone", policy: false, locks: true },
  { name: "both", title: "both", policy: true, locks: true },
];

/** All layers in a runtime class of the cluster, such as gvisor. */
const inRuntimeClass = (name: string): Layers => ({ name, title: `both, in ${name}`, policy: true, locks: true, runtimeClass: name });

/** Those of a sandbox, by its name; any other name is that of a runtime class. */
export const layersOf = (sandbox: string): Layers => layerings.find(({ name }) => name === sandbox) ?? inRuntimeClass(sandbox);

export const observerPort = 7999;
const uid = 100_000;
const code = "adversary-code";
const home = "/neighbour";
/** What runs in a pod; the rest of the package stays outside. */
const modules = ["__init__", "attributes", "bait", "canaries", "enclosure", "neighbour", "plain_python", "plain_server", "processes"];

export type Owner = KubeObject & { metadata: { uid: string } };

/** What everything of one sandbox belongs to, as to a session. */
export const ownerOf = (namespace: string, name: string): DynamicObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { namespace, name },
});

/** The observer's programs, as files of the pods. */
export function codeOf(namespace: string): DynamicObject {
  const directory = join(settings.root, "workloads/sandbox/adversary");
  const data = Object.fromEntries(modules.map((name) => [`${name}.py`, readFileSync(join(directory, `${name}.py`), "utf8")]));
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name: code }, data };
}

export interface Made {
  readonly layers: Layers;
  readonly owner: Owner;
  readonly image: BuiltImage;
  readonly token: string;
  /** In the environment of the process that runs programs. */
  readonly secret: string;
}

/** Everything of one sandbox: what the operator would create, less what `layers` leaves out, and the neighbour in its pod. */
export function sandboxOf({ layers, owner, image, token, secret }: Made): KubeObject[] {
  const { runtimeClass } = layers;
  const spec = runtimeClass ? { runtimeClassName: runtimeClass } : {};
  const request: SandboxRequest = { owner, epoch: 1, uid, spec, caller: "agent", token };
  const config = configFor(image, runtimeClass);
  return sandboxObjects(request, config).flatMap((object) => {
    if (object.kind === "NetworkPolicy") return layers.policy ? [object] : [];
    return object.kind === "Pod" ? [watched(object as Pod, layers, { image: config.images.sandbox, secret })] : [object];
  });
}

function configFor(image: BuiltImage, runtimeClass: string | undefined) {
  const programs = ["adapterLoader", "vllm", "trainer", "agent", "evaluator", "sandbox"];
  return operatorConfig.parse({
    operatorNamespace: "rune-system",
    images: Object.fromEntries(programs.map((name) => [name, image])),
    registry: { url: "http://registry.invalid" },
    nats: { url: "nats://nats.invalid" },
    canary: { host: "canary.invalid" },
    sandbox: { cpuRequest: "50m", ...(runtimeClass && { landlockSubstitutes: [runtimeClass] }) },
  });
}

/** The operator's pod, with a secret in its runner's environment, a neighbour beside it, and no locks where they are left out. */
function watched(pod: Pod, layers: Layers, { image, secret }: { image: string; secret: string }): Pod {
  const containers = pod.spec.containers.map((container) => ({
    ...container,
    ...(!layers.locks && { command: ["python3", "-B", "-m", "adversary.plain_server"], workingDir: "/testbed" }),
    env: [...(container.env ?? []), { name: "RUNE_ADVERSARY_SECRET", value: secret }, ...(layers.locks ? [] : plainSettings)],
    volumeMounts: [...(container.volumeMounts ?? []), { name: "neighbour", mountPath: home }, ...(layers.locks ? [] : [codeMount])],
  }));
  return {
    ...pod,
    spec: {
      ...pod.spec,
      containers: [...containers, neighbour(image, "127.0.0.1")],
      volumes: [...(pod.spec.volumes ?? []), ...neighbourVolumes],
    },
  };
}

/** What the runner knows by itself. */
const plainSettings = [
  { name: "RUNE_RUNNER_PORT", value: String(port.runner) },
  { name: "RUNE_SANDBOX_OUT", value: "/workspace/out" },
];
const codeMount = { name: "code", mountPath: "/testbed/adversary", readOnly: true };
const neighbourVolumes = [
  { name: "neighbour", emptyDir: { sizeLimit: "16Mi" } },
  { name: "code", configMap: { name: code } },
];

const neighbour = (image: string, host: string): Container => ({
  name: "neighbour",
  image,
  imagePullPolicy: "IfNotPresent",
  command: ["python3", "-B", "-m", "adversary.neighbour"],
  workingDir: "/testbed",
  env: [
    { name: "ADVERSARY_DIRECTORY", value: home },
    { name: "ADVERSARY_HOST", value: host },
    { name: "ADVERSARY_PORT", value: String(observerPort) },
  ],
  securityContext: restrictedContainer,
  resources: { requests: { cpu: "20m", memory: "48Mi" }, limits: { memory: "96Mi" } },
  readinessProbe: { httpGet: { path: "/seen", port: observerPort }, periodSeconds: 1, timeoutSeconds: 5 },
  volumeMounts: [{ name: "neighbour", mountPath: home }, codeMount],
});

/** The pod that sandboxes try to reach over the network. Nothing selects it, so nothing but a sandbox's own policy keeps one from it. */
export function canaryPod(owner: Owner, image: BuiltImage): DynamicObject {
  const { namespace } = owner.metadata;
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace, name: "canary", labels: { "rune.dev/test": "canary" }, ownerReferences: [ownerReference(owner)] },
    spec: {
      ...restrictedPod(uid + 1),
      terminationGracePeriodSeconds: 1,
      containers: [neighbour(configFor(image, undefined).images.sandbox, "0.0.0.0")],
      volumes: neighbourVolumes,
    },
  };
}
