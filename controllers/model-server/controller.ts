import { type LoaderClient, LoaderUnavailable } from "@rune/clients/loader/loader";
import type { LoadRequest } from "@rune/crds/contracts/loader";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { label } from "@rune/crds/words/labels";
import {
  type Cache,
  type Context,
  type Controller,
  fieldChanged,
  type KubeObject,
  type Logger,
  type Manager,
  type ObjectKey,
  type Outcome,
  pods,
} from "kopf-ts";
import { type User, useChanged } from "../shared/adapter-users.ts";
import { labelled, requiring } from "../shared/enqueue.ts";
import { adapters, agentSessions, environmentChecks, evaluations, modelServers, resourceOfKind } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { claimsOf } from "./claims.ts";
import { type Decision, decide } from "./decide.ts";
import { observe, owned } from "./observe.ts";

export async function reconcile(server: ModelServer, ctx: Context, services: Services, wake: () => void): Promise<Outcome> {
  const world = await observe(server, ctx, services, wake);
  const { outcome, moves } = decide(world, ctx.clock.now());
  if (moves.length === 0) return outcome;
  return outcome.effect("move adapters", () => move(server, moves, services, ctx.logger));
}

/**
 * Engines are independent: a failure of one doesn't delay the others. An unavailable loader, or one whose registry is
 * unavailable, doesn't fail the pass: the next one, seconds later, retries.
 */
async function move(server: ModelServer, moves: Decision["moves"], services: Services, logger: Logger): Promise<void> {
  const results = await Promise.allSettled(
    moves.map(async ({ engine: { pod }, move }) => {
      const loader = services.loader({ ip: pod.status.podIP, podUID: pod.metadata.uid ?? "" });
      try {
        for (const { name, ...verdict } of move.answer) await loader.answer(name, verdict);
        for (const name of move.unload) await loader.unload(name);
        for (const adapter of move.load) await loadOne(loader, server, adapter, services, logger);
      } catch (error) {
        if (!(error instanceof LoaderUnavailable)) throw error;
        logger.warn("a loader can't move adapters now; it is asked again soon", { pod: pod.metadata.name, error: error.message });
      }
    }),
  );
  const failure = results.find((result) => result.status === "rejected");
  if (failure) throw failure.reason;
}

/** An adapter whose turn must come again, because its bytes can't be pulled now, doesn't keep others from loading. */
async function loadOne(
  loader: Pick<LoaderClient, "load" | "state">,
  server: ModelServer,
  adapter: Adapter,
  services: Services,
  logger: Logger,
): Promise<void> {
  const { name } = adapter.metadata;
  try {
    await loader.load(name, await loadRequest(server, adapter, services));
  } catch (error) {
    if (!(error instanceof LoaderUnavailable)) throw error;
    const entry = (await loader.state()).adapters.find((each) => each.name === name);
    if (entry?.reason !== "RegistryUnavailable") throw error;
    logger.warn("a loader can't load an adapter now; it is asked again soon", { adapter: name, error: error.message });
  }
}

async function loadRequest(server: ModelServer, { spec }: Adapter, services: Services): Promise<LoadRequest> {
  const { repository, digest } = spec.artifact;
  const { namespace, name } = server.metadata;
  const subject = `ModelServer ${namespace}/${name}`;
  const registryToken = await services.registryToken({ namespace, subject, access: [{ repository, actions: ["pull"] }], seconds: 600 });
  return { repository, digest, baseDigest: spec.base.digest, rank: spec.rank, targetModules: spec.targetModules, registryToken };
}

export function register(manager: Manager, services: Services): Controller<ModelServer> {
  const builder = manager.controller("model-server").for(modelServers);
  for (const resource of owned) builder.owns(resource);
  builder
    .watches(pods, labelled(label.server))
    .watches(adapters, (adapter, cache) => all(cache, adapter), {
      predicate: fieldChanged((adapter) => [
        adapter.metadata.labels,
        adapter.metadata.deletionTimestamp,
        adapter.status?.conditions,
        adapter.status?.archived,
      ]),
    })
    .watches(agentSessions, (session, cache) => serversOf(session, cache), { predicate: useChanged })
    .watches(evaluations, (evaluation, cache) => serversOf(evaluation, cache), { predicate: useChanged })
    .watches(environmentChecks, (check, cache) => serversOf(check, cache), { predicate: useChanged });
  for (const resource of Object.values(resourceOfKind)) builder.watches(resource, requiring(manager, modelServers));
  const controller: Controller<ModelServer> = builder
    .withOptions({ fieldManager: "rune-model-server", maxConcurrentReconciles: 8, reportFailures: true })
    .complete((server, ctx) => reconcile(server, ctx, services, () => controller.enqueue(server.metadata)));
  return controller;
}

/** Servers whose demand the object contributes to, or did before it ended. */
function serversOf(user: User, cache: Cache): ObjectKey[] {
  return all(cache, user).filter(({ name }) => claimsOf(user, name).length > 0);
}

const all = (cache: Cache, { metadata: { namespace } }: KubeObject): ObjectKey[] =>
  cache(modelServers)
    .list({ namespace })
    .map(({ metadata }) => metadata);
