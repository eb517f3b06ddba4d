import { type Adapter, adapter } from "@rune/crds/kinds/adapter";
import { type AgentSession, agentSession } from "@rune/crds/kinds/agent-session";
import { type EnvironmentCheck, environmentCheck } from "@rune/crds/kinds/environment-check";
import { type Evaluation, evaluation } from "@rune/crds/kinds/evaluation";
import { type EvolutionGeneration, evolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { resourceOf } from "@rune/crds/kinds/kind";
import { type ModelServer, modelServer } from "@rune/crds/kinds/model-server";
import { type TrainingRun, trainingRun } from "@rune/crds/kinds/training-run";
import type { Resource } from "kopf-ts";

/** Resources of Rune's kinds. */
export const adapters: Resource<Adapter> = resourceOf(adapter);
export const agentSessions: Resource<AgentSession> = resourceOf(agentSession);
export const environmentChecks: Resource<EnvironmentCheck> = resourceOf(environmentCheck);
export const evaluations: Resource<Evaluation> = resourceOf(evaluation);
export const evolutionGenerations: Resource<EvolutionGeneration> = resourceOf(evolutionGeneration);
export const modelServers: Resource<ModelServer> = resourceOf(modelServer);
export const trainingRuns: Resource<TrainingRun> = resourceOf(trainingRun);

/** The same by kind name, for references. */
export const resourceOfKind: Readonly<Record<string, Resource>> = {
  Adapter: adapters,
  AgentSession: agentSessions,
  EnvironmentCheck: environmentChecks,
  Evaluation: evaluations,
  EvolutionGeneration: evolutionGenerations,
  ModelServer: modelServers,
  TrainingRun: trainingRuns,
};
