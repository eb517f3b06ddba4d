import { label } from "@rune/crds/common";
import type { Evaluation } from "@rune/crds/evaluation";
import type { Context, Manager, Outcome } from "kopf-ts";
import type { Services } from "../context.ts";
import { untilDeadline } from "../epoch.ts";
import { registerEpochKind } from "../epoch-controller.ts";
import { evaluations } from "../resources.ts";
import { deadlineOf } from "./arms.ts";
import { decide } from "./decide.ts";
import { observe } from "./observe.ts";

async function reconcile(evaluation: Evaluation, context: Context, services: Services): Promise<Outcome> {
  const world = await observe(evaluation, context, services);
  const now = context.clock.now();
  const outcome = decide(world, services.config, now).deleting(...world.leftovers);
  return untilDeadline(outcome, evaluation, deadlineOf(evaluation), now);
}

export function register(manager: Manager, services: Services): void {
  registerEpochKind(manager, services, {
    name: "evaluation",
    resource: evaluations,
    ownerLabel: label.evaluation,
    notice: "evaluation",
    uses: (evaluation, server) => evaluation.spec.arms.some((arm) => arm.serverRef.name === server),
    reconcile: (evaluation, context) => reconcile(evaluation, context, services),
  });
}
