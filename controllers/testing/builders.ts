import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { type EnvironmentCheck, environmentCheck } from "@rune/crds/kinds/environment-check";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { type TrainingRun, trainingRun } from "@rune/crds/kinds/training-run";
import { apiVersion } from "@rune/crds/words/group";
import type { Condition, DynamicObject } from "kopf-ts";
import type { World as TrainingWorld } from "../training-run/world.ts";
import { agentSession, condition, digestOf, evaluation, metadata } from "./objects.ts";

/** A working session, run, evaluation and check in one namespace, with their Jobs and pods. For tests of decisions. */
export const now = new Date("2026-11-23T12:00:00Z");

const team = { namespace: "team", creationTimestamp: "2026-11-23T11:00:00Z" };

export function aCondition(type: string, status: "True" | "False" = "True", reason = type): Condition {
  return { ...condition(type, status, "2026-11-23T11:30:00Z"), reason, observedGeneration: 1 };
}

export function aSession(over: { name?: string; spec?: object; status?: object } = {}): AgentSession {
  const task = { id: "t1", description: "Write solve(x).", tests: "assert solve(1) == 1", entryPoint: "solve" };
  return agentSession(over.name ?? "fix-parser", {
    metadata: team,
    spec: { task, scope: { project: "tessera" }, ...over.spec },
    status: over.status as AgentSession["status"],
  });
}

export function aRun(over: { spec?: object; status?: object } = {}): TrainingRun {
  const base = { oci: { repository: "rune/models/m", digest: digestOf("b") } };
  const corpus = { sessions: { matchLabels: { learn: "yes" } } };
  return {
    apiVersion,
    kind: "TrainingRun",
    metadata: metadata("tessera", { ...team, uid: "0a1b2c3d-0000-0000-0000-000000000000" }),
    spec: trainingRun.spec.parse({ base, sft: {}, corpus, ...over.spec }),
    status: over.status as TrainingRun["status"],
  };
}

/** A world for that run with only a resolved base. */
export function aTrainingWorld(over: Partial<TrainingWorld> = {}): TrainingWorld {
  return {
    run: aRun(),
    requirements: [],
    sessions: [],
    corpusArtifact: undefined,
    pairs: new Map(),
    adapters: [],
    generatorRun: undefined,
    generator: undefined,
    servers: [],
    base: { name: "m", digest: digestOf("d") },
    job: undefined,
    pods: [],
    progress: undefined,
    artifact: undefined,
    created: new Set(),
    members: undefined,
    spentLogins: [],
    credentials: undefined,
    ...over,
  };
}

export function anEvaluation(over: { spec?: object; status?: object } = {}): Evaluation {
  const arms = [
    { name: "base", serverRef: { name: "coder" } },
    { name: "adapter", serverRef: { name: "coder" }, adapter: "tessera-1" },
  ];
  return evaluation("held-out", {
    metadata: team,
    spec: { arms, taskSet: { repository: "rune/team/tasks", digest: digestOf("c") }, ...over.spec },
    status: over.status as Evaluation["status"],
  });
}

export function aCheck(over: { spec?: object; status?: object } = {}): EnvironmentCheck {
  const base = { oci: { repository: "rune/models/m", digest: digestOf("b") } };
  return {
    apiVersion,
    kind: "EnvironmentCheck",
    metadata: metadata("cluster", { ...team, uid: "0a1b2c3d-0000-0000-0000-000000000000" }),
    spec: environmentCheck.spec.parse({ base, device: "CPU", ...over.spec }),
    status: over.status as EnvironmentCheck["status"],
  };
}

export function aJob(name: string, ended?: "Complete" | "Failed", why: { reason?: string; message?: string } = {}): DynamicObject {
  const conditions = ended ? [{ type: ended, status: "True", ...why }] : [];
  return { apiVersion: "batch/v1", kind: "Job", metadata: { name, namespace: "team", uid: `uid-${name}` }, status: { conditions } };
}

/** The pod of a Job, terminated as `terminated` says. */
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
