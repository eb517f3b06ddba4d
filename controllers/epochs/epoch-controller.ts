import type { ModelServer } from "@rune/crds/kinds/model-server";
import {
  configMaps,
  isTerminal,
  jobs,
  type KubeObject,
  type Manager,
  networkPolicies,
  type ObjectKey,
  pods,
  type Reconciler,
  type Resource,
} from "kopf-ts";
import { enqueueOnNotice, indexByUID, labelled, requiring } from "../shared/enqueue.ts";
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
import { throttlingStatus } from "./status-throttle.ts";

/**
 * Index of unfinished objects by the ConfigMaps that they begin with. The ConfigMaps that epochs create are not in it.
 */
const byConfigMap = "configMap";

/** A kind that works in epochs: sessions and evaluations. */
export interface EpochKind<T extends KubeObject> {
  readonly name: string;
  readonly resource: Resource<T>;
  /** Label of its workers' pods that names the object. */
  readonly ownerLabel: string;
  readonly notice: Notice["kind"];
  /** The objects that a change of this ModelServer concerns. */
  readonly enqueuedByServer: (server: ModelServer) => readonly KubeObject[];
  /** The objects that a change of another of the kind concerns. */
  readonly wokenBySibling?: (object: T) => readonly KubeObject[];
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
  const controller = manager
    .controller(kind.name)
    .for(kind.resource)
    .owns(pods)
    .owns(jobs)
    .owns(networkPolicies)
    .watches(pods, labelled(kind.ownerLabel))
    .watches(configMaps, beginningWith)
    .watches(modelServers, (server) => [...kind.enqueuedByServer(server).map(({ metadata }) => metadata), ...required(server)])
    .watches(kind.resource, (object) => kind.wokenBySibling?.(object).map(({ metadata }) => metadata) ?? [])
    .watches(adapters, required)
    .watches(trainingRuns, (run) => [...labelled(kind.ownerLabel)(run), ...required(run)])
    .watches(agentSessions, required)
    .watches(evaluations, required)
    .watches(environmentChecks, required)
    .watches(evolutionGenerations, required)
    .withOptions({ maxConcurrentReconciles: 8, reportFailures: true })
    .complete(throttlingStatus(kind.reconcile));
  enqueueOnNotice(manager, controller, services, kind.notice);
}
