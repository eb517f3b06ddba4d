import { storeEvidence } from "@rune/clients/registry/evidence";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { type Context, type Controller, fieldChanged, type Manager, type ObjectKey, type Outcome } from "kopf-ts";
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
    .watches(environmentChecks, ({ metadata, status }) => inNamespace(metadata.namespace, [status?.claim?.adapter]))
    .watches(agentSessions, ({ metadata, status }) => inNamespace(metadata.namespace, [status?.adapter?.name]))
    .watches(evaluations, ({ metadata, spec, status }) =>
      inNamespace(metadata.namespace, [...spec.arms.map(({ adapter }) => adapter), ...(status?.activeAdapters ?? [])]),
    )
    .watches(evolutionGenerations, ({ metadata, status }) =>
      inNamespace(metadata.namespace, status?.decisions?.map(({ adapter }) => adapter) ?? []),
    )
    .withOptions({ fieldManager: "rune-adapter", reportFailures: true })
    .complete((adapter, ctx) => reconcile(adapter, ctx, services, known));
}

const heldBy = ({ metadata, status }: ModelServer) => inNamespace(metadata.namespace, status?.adapters?.map(({ name }) => name) ?? []);

const inNamespace = (namespace: string, names: readonly (string | undefined)[]): ObjectKey[] =>
  names.flatMap((name) => (name ? [{ namespace, name }] : []));
