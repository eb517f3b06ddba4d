import type { AgentJob } from "@rune/crds/contracts/agent";
import type { ProbeTargets } from "@rune/crds/contracts/pod";
import { logStream, sessionSubject } from "@rune/crds/contracts/session-log";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { label } from "@rune/crds/words/labels";
import { port } from "@rune/crds/words/ports";
import type { KubeObject } from "kopf-ts";
import { executionMemoryMiB } from "../epochs/sandbox.ts";
import { workerObjects } from "../epochs/worker.ts";
import { credentialFile, ownerOf } from "../pods/pod.ts";
import { hostAndPort } from "../shared/address.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { servedBaseName, serverURL } from "../shared/serving.ts";

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

/** All objects of one epoch's agent. */
export function agentObjects(input: AgentInput): KubeObject[] {
  const { session, epoch, deadline, config } = input;
  const start = Date.parse(session.status?.startTime ?? session.metadata.creationTimestamp);
  const worker = {
    owner: session as AgentSession & KubeObject,
    component: "agent" as const,
    ownerLabel: label.session,
    epoch,
    document: agentDocument(input),
    credentials: { "nats.creds": input.natsCredentials, "runner-token": input.runnerToken },
    secondsLeft: (deadline.getTime() - start) / 1000,
  };
  return workerObjects(worker, config);
}

/** The agent's input, fully resolved. */
export function agentDocument({ session, server, epoch, sandboxIP, targets, deadline, config }: AgentInput): AgentJob {
  const { spec, metadata, status } = session;
  const base = servedBaseName(server.spec.base);
  const { namespace } = metadata;
  return {
    owner: ownerOf(session),
    epoch,
    task: spec.task,
    model: {
      url: serverURL({ name: server.metadata.name, namespace }),
      base,
      name: status?.adapter?.name ?? base,
      maxModelLength: server.spec.maxModelLength,
    },
    attempts: spec.attempts,
    candidates: spec.candidates,
    reflection: spec.reflection,
    sampling: spec.sampling,
    sandbox: {
      url: `http://${hostAndPort(sandboxIP, port.runner)}`,
      tokenFile: credentialFile("runner-token"),
      timeoutSeconds: spec.sandbox.timeoutSeconds ?? config.sandbox.timeoutSeconds,
      memoryMiB: executionMemoryMiB(spec.sandbox, config),
      probeTargets: { ...targets },
    },
    nats: { url: config.nats.url, credentialsFile: credentialFile("nats.creds"), stream: logStream, subject: sessionSubject(metadata.uid) },
    deadline: deadline.toISOString(),
    logLevel: config.agent.logLevel,
  };
}
