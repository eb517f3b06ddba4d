import type { AgentSession } from "@rune/crds/agent-session";
import { logStream, sessionSubject } from "@rune/crds/artifact";
import { label } from "@rune/crds/common";
import type { AgentJob } from "@rune/crds/job-spec";
import { port } from "@rune/crds/loader-api";
import type { ModelServer } from "@rune/crds/model-server";
import type { KubeObject } from "kopf-ts";
import type { OperatorConfig } from "../config.ts";
import type { PodSpec } from "../manifest.ts";
import { jobNameOfEpoch } from "../names.ts";
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

export interface AgentInput {
  readonly session: AgentSession;
  readonly server: ModelServer;
  readonly epoch: number;
  readonly sandboxIP: string;
  readonly targets: ProbeTargets;
  readonly deadline: Date;
  readonly natsCredentials: string;
  readonly runnerToken: string;
  readonly config: OperatorConfig;
}

/** Everything of the agent of one epoch. */
export function agentObjects(input: AgentInput): KubeObject[] {
  const { session, epoch } = input;
  const name = jobNameOfEpoch(session.metadata.name, epoch);
  const credentials = { "nats.creds": input.natsCredentials, "runner-token": input.runnerToken };
  return [
    credentialsSecret(session, name, credentials),
    jobSpecConfigMap(session, name, { spec: agentDocument(input) }),
    agentJob(input, name),
  ];
}

function agentJob({ session, epoch, config, deadline }: AgentInput, name: string): KubeObject {
  const labels = componentLabels("agent", { ...ownedBy(session, "agent", epoch), [label.session]: session.metadata.name });
  const pod: PodSpec = {
    ...restrictedPod(),
    ...pulling(config),
    containers: [
      {
        name: "agent",
        image: config.images.agent,
        imagePullPolicy: config.imagePullPolicy,
        securityContext: restrictedContainer,
        resources: { requests: { cpu: "20m", memory: "96Mi" }, limits: { memory: "512Mi" } },
        volumeMounts: [specMount, credentialsMount, temporaryMount],
      },
    ],
    volumes: [specVolume(name), credentialsVolume(name), temporaryVolume("64Mi")],
    terminationGracePeriodSeconds: 10,
  };
  const seconds = Math.max(
    1,
    Math.ceil((deadline.getTime() - Date.parse(session.status?.startTime ?? session.metadata.creationTimestamp)) / 1000) + spareSeconds,
  );
  return job(session, name, pod, { labels, activeDeadlineSeconds: seconds });
}

/** The agent ends itself at the deadline; Kubernetes ends one that doesn't. */
const spareSeconds = 60;

/** The agent's input, fully resolved. */
export function agentDocument({ session, server, epoch, sandboxIP, targets, deadline, config }: AgentInput): AgentJob {
  const { spec, metadata, status } = session;
  const base = servedBaseName(server.spec.base);
  const { namespace } = metadata;
  return {
    owner: ownerOf(session),
    epoch,
    task: spec.task,
    model: { url: serverURL({ name: server.metadata.name, namespace }), base, name: status?.adapter?.name ?? base },
    attempts: spec.attempts,
    candidates: spec.candidates,
    reflection: spec.reflection,
    sampling: spec.sampling,
    sandbox: {
      url: `http://${sandboxIP}:${port.runner}`,
      tokenFile: credentialFile("runner-token"),
      timeoutSeconds: spec.sandbox.timeoutSeconds ?? config.sandbox.timeoutSeconds,
      memoryMiB: executionMemoryMiB(spec.sandbox, config),
      probeTargets: { ...targets },
    },
    nats: { url: config.nats.url, credentialsFile: credentialFile("nats.creds"), stream: logStream, subject: sessionSubject(metadata.uid) },
    deadline: deadline.toISOString(),
  };
}
