import { register as adapter } from "@rune/controllers/adapter/reconcile";
import { register as agentSession } from "@rune/controllers/agent-session/reconcile";
import type { Services } from "@rune/controllers/context";
import { register as environmentCheck } from "@rune/controllers/environment-check/reconcile";
import { register as evaluation } from "@rune/controllers/evaluation/reconcile";
import { register as evolutionGeneration } from "@rune/controllers/evolution-generation/reconcile";
import { register as modelServer } from "@rune/controllers/model-server/reconcile";
import { register as trainingRun } from "@rune/controllers/training-run/reconcile";
import type { Manager } from "kopf-ts";

/** Every controller of the operator. */
export const registrations: readonly ((manager: Manager, services: Services) => unknown)[] = [
  environmentCheck,
  modelServer,
  adapter,
  trainingRun,
  agentSession,
  evaluation,
  evolutionGeneration,
];
