import { adapter } from "./adapter.ts";
import { agentSession } from "./agent-session.ts";
import { environmentCheck } from "./environment-check.ts";
import { evaluation } from "./evaluation.ts";
import { evolutionGeneration } from "./evolution-generation.ts";
import type { KindDefinition } from "./kind.ts";
import { modelServer } from "./model-server.ts";
import { trainingRun } from "./training-run.ts";

/** Every kind of the group, in the order in which users meet them. */
export const kinds: readonly KindDefinition[] = [
  environmentCheck,
  modelServer,
  adapter,
  trainingRun,
  agentSession,
  evaluation,
  evolutionGeneration,
];
