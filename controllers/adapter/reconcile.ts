import type { Adapter } from "@rune/crds/adapter";
import type { ModelServer } from "@rune/crds/model-server";
import { type Context, type Controller, fieldChanged, type Manager, type ObjectKey, type Outcome } from "kopf-ts";
import type { Services } from "../context.ts";
import { adapters, agentSessions, evaluations, modelServers } from "../resources.ts";
import { decide } from "./decide.ts";
import { observe } from "./observe.ts";

export async function reconcile(adapter: Adapter, ctx: Context, services: Services): Promise<Outcome> {
  return decide(await observe(adapter, ctx, services), ctx.clock.now());
}

export function register(manager: Manager, services: Services): Controller<Adapter> {
  return manager
    .controller("adapter")
    .for(adapters)
    .watches(modelServers, heldBy, { predicate: fieldChanged(({ status }) => status?.adapters) })
    .watches(agentSessions, ({ metadata, status }) => inNamespace(metadata.namespace, [status?.adapter?.name]))
    .watches(evaluations, ({ metadata, spec, status }) =>
      inNamespace(metadata.namespace, [...spec.arms.map(({ adapter }) => adapter), ...(status?.activeAdapters ?? [])]),
    )
    .withOptions({ fieldManager: "rune-adapter", reportFailures: true })
    .complete((adapter, ctx) => reconcile(adapter, ctx, services));
}

const heldBy = ({ metadata, status }: ModelServer) => inNamespace(metadata.namespace, status?.adapters?.map(({ name }) => name) ?? []);

const inNamespace = (namespace: string, names: readonly (string | undefined)[]): ObjectKey[] =>
  names.flatMap((name) => (name ? [{ namespace, name }] : []));
