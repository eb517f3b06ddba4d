import type { AgentSession } from "@rune/crds/agent-session";
import { agentSession } from "@rune/crds/agent-session";
import { apiVersion } from "@rune/crds/common";
import { type Evaluation, evaluation } from "@rune/crds/evaluation";
import { type TrainingRun, trainingRun } from "@rune/crds/training-run";
import type { Condition, DynamicObject } from "kopf-ts";
import { type OperatorConfig, operatorConfig } from "../config.ts";

/** Objects as the API server would return them, defaults filled in by the schema. For tests. */
export const digestOf = (character: string) => `sha256:${character.repeat(64)}`;
export const now = new Date("2026-11-23T12:00:00Z");

export function aConfig(): OperatorConfig {
  const image = { repository: "rune.example/program", tag: "1" };
  return operatorConfig.parse({
    operatorNamespace: "rune-system",
    images: { adapterLoader: image, vllm: image, trainer: image, agent: image, evaluator: image, sandbox: image },
    registry: { url: "http://registry.example:5000" },
    nats: { url: "nats://nats.example:4222" },
    canary: { host: "rune-canary.rune-system.svc" },
  });
}

const metadata = (name: string, uid: string) => ({
  name,
  namespace: "team",
  uid,
  generation: 1,
  resourceVersion: "1",
  creationTimestamp: "2026-11-23T11:00:00Z",
});

export function aCondition(type: string, status: "True" | "False" = "True", reason = type): Condition {
  return { type, status, reason, message: "", lastTransitionTime: "2026-11-23T11:30:00Z", observedGeneration: 1 };
}

export function aSession(over: { name?: string; spec?: object; status?: object } = {}): AgentSession {
  const name = over.name ?? "fix-parser";
  const task = { id: "t1", description: "Write solve(x).", tests: "assert solve(1) == 1", entryPoint: "solve" };
  return {
    apiVersion,
    kind: "AgentSession",
    metadata: metadata(name, `uid-${name}`),
    spec: agentSession.spec.parse({
      task,
      scope: { project: "tessera" },
      serverRef: { name: "coder" },
      ...over.spec,
    }) as AgentSession["spec"],
    ...(over.status && { status: over.status as AgentSession["status"] }),
  };
}

export function aRun(over: { spec?: object; status?: object } = {}): TrainingRun {
  const base = { oci: { repository: "rune/models/m", digest: digestOf("b") } };
  return {
    apiVersion,
    kind: "TrainingRun",
    metadata: metadata("tessera", "0a1b2c3d-0000-0000-0000-000000000000"),
    spec: trainingRun.spec.parse({
      base,
      sft: {},
      corpus: { sessions: { matchLabels: { learn: "yes" } } },
      ...over.spec,
    }) as TrainingRun["spec"],
    ...(over.status && { status: over.status as TrainingRun["status"] }),
  };
}

export function anEvaluation(over: { spec?: object; status?: object } = {}): Evaluation {
  const arms = [
    { name: "base", serverRef: { name: "coder" } },
    { name: "adapter", serverRef: { name: "coder" }, adapter: "tessera-1" },
  ];
  return {
    apiVersion,
    kind: "Evaluation",
    metadata: metadata("held-out", "uid-evaluation"),
    spec: evaluation.spec.parse({
      arms,
      taskSet: { repository: "rune/team/tasks", digest: digestOf("c") },
      ...over.spec,
    }) as Evaluation["spec"],
    ...(over.status && { status: over.status as Evaluation["status"] }),
  };
}

export function aJob(name: string, ended?: "Complete" | "Failed", why: { reason?: string; message?: string } = {}): DynamicObject {
  const conditions = ended ? [{ type: ended, status: "True", ...why }] : [];
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name, namespace: "team", uid: `uid-${name}` }, status: { conditions } };
}

/** The pod of a Job, ended as `terminated` says. */
export function aPod(
  job: DynamicObject,
  container: string,
  terminated?: { exitCode: number; reason?: string; message?: string },
  more: { conditions?: object[]; phase?: string } = {},
): DynamicObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: `${job.metadata.name}-0`,
      namespace: "team",
      uid: `uid-${job.metadata.name}-0`,
      ownerReferences: [{ apiVersion: "batch/v1", kind: "Job", name: job.metadata.name, uid: job.metadata.uid ?? "" }],
    },
    status: { ...more, containerStatuses: [{ name: container, state: terminated ? { terminated } : { running: {} } }] },
  };
}
