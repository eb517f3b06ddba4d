import { configMaps, isTerminal, jobs, type KubeObject, type Manager, type ObjectKey, pods, type Reconciler, type Resource } from "kopf-ts";
import type { Requirement } from "../shared/requires.ts";
import {
  adapters,
  agentSessions,
  environmentChecks,
  evaluations,
  evolutionGenerations,
  modelServers,
  trainingRuns,
} from "../shared/resources.ts";
import type { Notice, Services } from "../shared/services.ts";
import { indexByUID, labelled, requiring, wakeByNotice } from "../shared/wake.ts";

/** Files objects that go on under the ConfigMaps they begin with: every epoch makes a ConfigMap of its own, and none of them is looked for here. */
const byConfigMap = "configMap";

/** A kind that works in epochs: sessions and evaluations. */
export interface EpochKind<T extends KubeObject> {
  readonly name: string;
  readonly resource: Resource<T>;
  /** Label of its workers' pods that names the object. */
  readonly ownerLabel: string;
  readonly notice: Notice["kind"];
  /** Whether the object waits for this ModelServer, or works with it. */
  readonly uses: (object: T, server: string) => boolean;
  /** The ConfigMaps that the object begins with. */
  readonly configMapsOf: (object: T) => readonly (string | undefined)[];
  readonly reconcile: Reconciler<T>;
}

/** Wakes objects on their sandbox, their worker's Job and pod, what learns from them, their servers, what they require, and every append to their log. */
export function registerEpochKind<T extends KubeObject & { metadata: { namespace?: string }; spec: { requires?: readonly Requirement[] } }>(
  manager: Manager,
  services: Services,
  kind: EpochKind<T>,
): void {
  indexByUID(manager, kind.resource);
  manager
    .cache(kind.resource)
    .indexField(byConfigMap, (object) =>
      isTerminal(object) ? [] : kind.configMapsOf(object).flatMap((name) => (name ? [`${object.metadata.namespace}/${name}`] : [])),
    );
  const beginningWith = ({ metadata: { namespace, name } }: KubeObject): ObjectKey[] =>
    manager
      .cache(kind.resource)
      .byIndex(byConfigMap, `${namespace}/${name}`)
      .map((object) => object.metadata);
  const required = requiring(manager, kind.resource);
  const using = (server: KubeObject): ObjectKey[] =>
    manager
      .cache(kind.resource)
      .list({ namespace: server.metadata.namespace })
      .filter((object) => kind.uses(object, server.metadata.name))
      .map((object) => object.metadata);
  const controller = manager
    .controller(kind.name)
    .for(kind.resource)
    .owns(pods)
    .owns(jobs)
    .watches(pods, labelled(kind.ownerLabel))
    .watches(configMaps, beginningWith)
    .watches(modelServers, (server) => [...using(server), ...required(server)])
    .watches(adapters, required)
    .watches(trainingRuns, (run) => [...labelled(kind.ownerLabel)(run), ...required(run)])
    .watches(agentSessions, required)
    .watches(evaluations, required)
    .watches(environmentChecks, required)
    .watches(evolutionGenerations, required)
    .withOptions({ maxConcurrentReconciles: 8, reportFailures: true })
    .complete(kind.reconcile);
  wakeByNotice(manager, controller, services, kind.notice);
}
