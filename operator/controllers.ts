import { register as adapter } from "@rune/controllers/adapter/controller";
import { register as agentSession } from "@rune/controllers/agent-session/controller";
import { register as environmentCheck } from "@rune/controllers/environment-check/controller";
import { register as evaluation } from "@rune/controllers/evaluation/controller";
import { register as evolutionGeneration } from "@rune/controllers/evolution-generation/controller";
import { register as modelServer } from "@rune/controllers/model-server/controller";
import type { Services } from "@rune/controllers/shared/services";
import { register as trainingRun } from "@rune/controllers/training-run/controller";
import type { Manager } from "kopf-ts";

/** Every controller of the operator. */
export const controllers: readonly ((manager: Manager, services: Services) => unknown)[] = [
  environmentCheck,
  modelServer,
  adapter,
  trainingRun,
  agentSession,
  evaluation,
  evolutionGeneration,
];
