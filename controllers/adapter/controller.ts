import { storeEvidence } from "@rune/clients/registry/evidence";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { type Context, type Controller, fieldChanged, type Manager, type ObjectKey, type Outcome } from "kopf-ts";
import { type User, useChanged, usesOf } from "../shared/adapter-users.ts";
import { publishing } from "../shared/cloudevents.ts";
import { adapters, agentSessions, environmentChecks, evaluations, evolutionGenerations, modelServers } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { eventsOf } from "./cloudevents.ts";
import { decide, type Store } from "./decide.ts";
import { EvidenceCache } from "./evidence-cache.ts";
import { observe } from "./observe.ts";

export async function reconcile(adapter: Adapter, ctx: Context, services: Services, known: EvidenceCache): Promise<Outcome> {
  const world = await observe(adapter, ctx, services, known.pieces);
  if (world.evidence.state === "Read") known.add(world.evidence.evidence);
  const { repository } = adapter.spec.artifact;
  const store: Store = async (evidence) =>
    void (await storeEvidence(services.registry(adapter.metadata.namespace, repository, ["pull", "push"]), repository, evidence));
  const now = ctx.clock.now();
  return publishing(decide(world, store, now), eventsOf(world), services.events, now);
}

export function register(manager: Manager, services: Services): Controller<Adapter> {
  const known = new EvidenceCache();
  return manager
    .controller("adapter")
    .for(adapters)
    .watches(modelServers, heldBy, { predicate: fieldChanged(({ status }) => status?.adapters) })
    .watches(environmentChecks, usedBy, { predicate: useChanged })
    .watches(agentSessions, usedBy, { predicate: useChanged })
    .watches(evaluations, (evaluation) => [...usedBy(evaluation), ...armsOf(evaluation)], { predicate: useChanged })
    .watches(evolutionGenerations, ({ metadata, status }) =>
      inNamespace(metadata.namespace, status?.decisions?.map(({ adapter }) => adapter) ?? []),
    )
    .withOptions({ fieldManager: "rune-adapter", reportFailures: true })
    .complete((adapter, ctx) => reconcile(adapter, ctx, services, known));
}

const usedBy = (user: User) => inNamespace(user.metadata.namespace, usesOf(user));

/** An evaluation that has ended uses no adapter any more, and has measured them. */
const armsOf = ({ metadata, spec }: Evaluation) =>
  inNamespace(
    metadata.namespace,
    spec.arms.map(({ adapter }) => adapter),
  );

const heldBy = ({ metadata, status }: ModelServer) => inNamespace(metadata.namespace, status?.adapters?.map(({ name }) => name) ?? []);

const inNamespace = (namespace: string, names: readonly (string | undefined)[]): ObjectKey[] =>
  names.flatMap((name) => (name ? [{ namespace, name }] : []));
