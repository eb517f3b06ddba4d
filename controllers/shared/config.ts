import { objectName, subdomainName } from "@rune/crds/fields/field";
import { quantity, quantityAboveZero } from "@rune/crds/fields/quantity";
import { scheduling } from "@rune/crds/fields/scheduling";
import { z } from "zod";

const image = z
  .object({
    repository: z.string().min(1).describe("Repository with its registry, such as `ghcr.io/owner/program`."),
    tag: z.string().optional().describe("Tag, used when there is no digest."),
    digest: z
      .string()
      .regex(/^sha256:[0-9a-f]{64}$/)
      .or(z.literal(""))
      .optional()
      .describe("Digest; it wins over the tag."),
  })
  .transform(({ repository, tag, digest }) => (digest ? `${repository}@${digest}` : `${repository}:${tag || "latest"}`))
  .describe("An image; becomes the reference that pods name.");

/** Values of the chart may be numbers, as in a pod's manifest. */
const quantities = () => z.record(z.string(), z.coerce.string().pipe(quantity()));

type Quantities = Readonly<Record<string, string>>;
const container = (requests: Quantities, limits: Quantities) =>
  z.object({ requests: quantities().default(requests), limits: quantities().default(limits) }).prefault({});

/** Requires http(s): `host:port` alone would be accepted as a URL whose scheme is the host. */
const httpURL = () => z.url({ protocol: /^https?$/ });

/** The operator's configuration, mounted by the chart at `/etc/rune/config.yaml`. */
export const operatorConfig = z.object({
  operatorNamespace: z.string().min(1).describe("Namespace that the operator runs in and keeps its keys in."),
  watchNamespaces: z.array(z.string().min(1)).default([]).describe("Namespaces whose objects are worked on; empty means all."),
  keysSecret: z.string().default("rune-keys").describe("Secret that holds the installation's keys; made by the operator."),
  images: z
    .object({ adapterLoader: image, vllm: image, trainer: image, agent: image, evaluator: image, sandbox: image })
    .describe("Images of the programs that the operator starts."),
  imagePullPolicy: z.enum(["Always", "IfNotPresent", "Never"]).default("IfNotPresent").describe("Pull policy of those images."),
  imagePullSecrets: z
    .array(z.object({ name: z.string() }))
    .default([])
    .describe("Pull secrets of those images, in the objects' namespaces."),
  registry: z
    .object({
      url: httpURL().describe("Base URL of the registry, as pods reach it; a path in it stands before every repository."),
      credentialsSecret: z
        .string()
        .min(1)
        .optional()
        .describe("Secret of the operator's namespace with a login for the registry; tokens are signed for it when unset."),
      caConfigMap: z
        .string()
        .min(1)
        .optional()
        .describe("ConfigMap of the operator's namespace whose entry `ca.crt` has the certificates that sign the registry's."),
    })
    .refine(({ url, credentialsSecret }) => credentialsSecret !== undefined || new URL(url).pathname === "/", {
      path: ["url"],
      message: "a path needs credentialsSecret: tokens that the operator signs name repositories without it",
    }),
  nats: z.object({ url: z.url({ protocol: /^(nats|tls|wss?)$/ }).describe("URL of the NATS server, as pods reach it.") }),
  events: z
    .object({
      retentionDays: z
        .number()
        .int()
        .min(2)
        .max(365)
        .default(7)
        .describe("How long an event is kept for subscribers that are unavailable."),
      maxMebibytes: z
        .number()
        .int()
        .min(1)
        .max(1024)
        .default(64)
        .describe("Most of NATS's volume that events may fill; the oldest go first."),
      subscribers: z
        .array(
          z.object({
            name: objectName(40).describe("Name of the subscriber."),
            secret: subdomainName().describe("Secret, beside the operator, that its credentials are kept in; made by the operator."),
            namespace: objectName().optional().describe("Namespace whose events it gets; all when unset."),
          }),
        )
        .max(50)
        .default([])
        .describe("Who may listen."),
    })
    .optional()
    .describe("What was decided is told as CloudEvents; nothing is told when unset."),
  mlflow: z
    .object({
      url: httpURL().describe("Base URL of the tracking server."),
      experiment: z.string().default("rune").describe("Experiment that runs belong to."),
    })
    .optional()
    .describe("Experiment tracker; nothing is logged when unset."),
  hub: z
    .object({
      endpoint: httpURL().optional().describe("Base URL of a mirror of the Hugging Face hub, as pods reach it; the hub itself when unset."),
      proxy: httpURL().optional().describe("HTTP proxy before the hub; it is asked for nothing else."),
      noProxy: z.string().optional().describe("Host names that are asked without the proxy, with commas between them."),
    })
    .prefault({})
    .describe("Where base models of the hub are staged from."),
  pods: z
    .object({
      labels: z.record(z.string(), z.string()).default({}).describe("Labels, such as a service mesh's mark that it should stay out."),
      annotations: z.record(z.string(), z.string()).default({}).describe("Annotations, for the same."),
    })
    .prefault({})
    .describe("What every pod that the operator makes carries beside Rune's own."),
  jobs: z
    .object({
      ttlSecondsAfterFinished: z
        .number()
        .int()
        .min(60)
        .default(3600)
        .describe("How long an ended Job of an agent or an evaluator, and with it what it logged, stays."),
      nodeSelector: scheduling.nodeSelector,
      tolerations: scheduling.tolerations,
    })
    .prefault({})
    .describe("What works on sessions and evaluations."),
  helpers: z
    .object({
      stager: container({ cpu: "50m", memory: "128Mi" }, { memory: "1Gi" }).describe("The init container that stages a base model."),
      loader: container({ cpu: "50m", memory: "128Mi" }, { memory: "1Gi" }).describe("The sidecar of every engine."),
      agent: container({ cpu: "20m", memory: "96Mi" }, { memory: "512Mi" }).describe("The program of a session."),
      evaluator: container({ cpu: "20m", memory: "96Mi" }, { memory: "768Mi" }).describe("The program of an evaluation."),
      asker: container({ cpu: "20m", memory: "64Mi" }, { memory: "256Mi" }).describe("What asks an EnvironmentCheck's engine."),
    })
    .prefault({})
    .describe("Requests and limits of the containers whose size no object's spec gives."),
  gpuResourceName: z.string().default("nvidia.com/gpu").describe("Extended resource that GPUs are counted in."),
  engine: z
    .object({
      device: z.enum(["CUDA", "CPU"]).default("CUDA").describe("What the vLLM image was built for."),
      cpuThreads: z.number().int().min(1).default(2).describe("OpenMP threads of a CPU engine, over all its pipeline stages."),
      cpuKVCacheGiB: z.number().int().min(1).default(1).describe("Key-value cache of a CPU engine in GiB, for each pipeline stage."),
      sharedMemory: quantityAboveZero().default("1Gi").describe("Size of `/dev/shm`, over which the pipeline stages talk."),
      openInference: z.boolean().default(false).describe("Lets every pod of the namespace ask a ModelServer, not only Rune's own."),
    })
    .prefault({})
    .describe("How engines are started."),
  sandbox: z
    .object({
      uidRange: z
        .object({ start: z.number().int().min(1000), size: z.number().int().min(1) })
        .default({ start: 100000, size: 10000 })
        .describe("User IDs that sandboxes get, each its own."),
      memory: quantityAboveZero()
        .default("512Mi")
        .describe(
          "Memory for a program, its tests and the runner where a session doesn't say; the pod gets 96Mi more, for files in memory.",
        ),
      cpu: quantityAboveZero().default("500m").describe("CPU of a sandbox pod where a session doesn't say."),
      cpuRequest: quantity().optional().describe("CPU that the scheduler sets aside where a session doesn't say; all of `cpu` when unset."),
      timeoutSeconds: z.number().int().min(1).max(120).default(10).describe("Deadline of one execution where a session doesn't say."),
      runtimeClassName: z.string().optional().describe("RuntimeClass of sandbox pods where a session doesn't say."),
      landlockSubstitutes: z
        .array(z.string().min(1))
        .default([])
        .describe("RuntimeClasses whose sandboxes may run where the kernel lacks Landlock, because they take its place."),
    })
    .prefault({})
    .describe("Where untrusted programs run."),
  agent: z
    .object({
      logLevel: z
        .enum(["info", "debug"])
        .default("info")
        .describe("What agents log: at info a line for each step, at debug prompts, programs and notes as well."),
    })
    .prefault({})
    .describe("What works on sessions."),
  canary: z
    .object({ host: z.string().min(1).describe("Service and namespace, such as `rune-canary.rune-system.svc`.") })
    .describe("Service that every pod but a sandbox can reach: the positive control of the isolation proof."),
  clusterDNS: z.string().optional().describe("Address of the cluster's DNS service; looked up when unset."),
  leaderElection: z.boolean().default(true).describe("Whether replicas of the operator elect a leader."),
  /** Only for an operator outside the cluster: addresses that differ from those for pods. */
  local: z
    .object({ registryURL: httpURL().optional(), natsURL: z.string().optional() })
    .default({})
    .describe("Addresses for an operator that runs outside the cluster, where they differ from the pods'."),
});
export type OperatorConfig = z.output<typeof operatorConfig>;
