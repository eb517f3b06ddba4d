import { storeEvidence } from "@rune/clients/registry/evidence";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { label } from "@rune/crds/words/labels";
import { type Context, isTerminal, type Manager, type Outcome } from "kopf-ts";
import { untilDeadline } from "../epochs/epoch.ts";
import { registerEpochKind } from "../epochs/epoch-controller.ts";
import { policyToBind } from "../epochs/sandbox.ts";
import { publishing } from "../shared/cloudevents.ts";
import { planName } from "../shared/names.ts";
import { evaluations } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { storingTasks } from "../shared/task-set.ts";
import { deadlineOf } from "./arms.ts";
import { eventsOf } from "./cloudevents.ts";
import { decide, type Store } from "./decide.ts";
import { observe } from "./observe.ts";

async function reconcile(evaluation: Evaluation, context: Context, services: Services): Promise<Outcome> {
  const world = await observe(evaluation, context, services);
  const now = context.clock.now();
  const registry = (repository: string) => services.registry(evaluation.metadata.namespace, repository, ["pull", "push"]);
  const store: Store = {
    tasks: storingTasks(evaluation.metadata.namespace, services),
    evidence: async ({ repository, evidence }) => void (await storeEvidence(registry(repository), repository, evidence)),
  };
  const policy = policyToBind({ owner: evaluation, caller: "evaluator" }, world.sandboxPod, context.cache);
  const outcome = decide(world, services.config, store, now)
    .applying(...policy)
    .deleting(...world.leftovers);
  return publishing(untilDeadline(outcome, evaluation, deadlineOf(evaluation), now), eventsOf(evaluation), services.events, now);
}

const byServer = (evaluation: Evaluation) =>
  isTerminal(evaluation) ? [] : evaluation.spec.arms.map(({ serverRef }) => `${evaluation.metadata.namespace}/${serverRef.name}`);

export function register(manager: Manager, services: Services): void {
  registerEpochKind(manager, services, {
    name: "evaluation",
    resource: evaluations,
    ownerLabel: label.evaluation,
    notice: "evaluation",
    enqueuedByServer: ({ metadata: { namespace, name } }) => manager.cache(evaluations).byIndex(byServer, `${namespace}/${name}`),
    configMapsOf: (evaluation) => [evaluation.spec.sandbox.libraryConfigMap, evaluation.spec.taskSet.configMap?.name, planName(evaluation)],
    reconcile: (evaluation, context) => reconcile(evaluation, context, services),
  });
}
