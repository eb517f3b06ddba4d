import type { Controller, KubeObject, Manager, ObjectKey, Resource } from "kopf-ts";
import type { Requirement } from "./requires.ts";
import type { Notice, Services } from "./services.ts";

const byUID = "uid";

/** Indexes a kind's objects by UID, for notices from outside the Kubernetes API. Call before the manager starts. */
export function indexByUID<T extends KubeObject>(manager: Manager, resource: Resource<T>): void {
  manager.cache(resource).indexField(byUID, (object) => (object.metadata.uid ? [object.metadata.uid] : []));
}

/** Enqueues a controller's object whenever a notice about it arrives. */
export function enqueueOnNotice<T extends KubeObject>(
  manager: Manager,
  controller: Controller<T>,
  services: Services,
  kind: Notice["kind"],
): void {
  services.onNotice((notice) => {
    if (notice.kind !== kind) return;
    for (const object of manager.cache(controller.resource).byIndex(byUID, notice.uid)) controller.enqueue(object.metadata);
  });
}

const requirementKey = (namespace: string | undefined, kind: string | undefined, name: string) => `${namespace}/${kind}/${name}`;

const byRequirement = ({ metadata, spec }: { metadata: KubeObject["metadata"]; spec: { requires?: readonly Requirement[] } }) =>
  (spec.requires ?? []).map(({ kind, name }) => requirementKey(metadata.namespace, kind, name));

/** The objects of a kind that require the one that changed. */
export function requiring<T extends KubeObject & { metadata: { namespace?: string }; spec: { requires?: readonly Requirement[] } }>(
  manager: Manager,
  resource: Resource<T>,
) {
  return (changed: KubeObject): ObjectKey[] =>
    manager
      .cache(resource)
      .byIndex(byRequirement, requirementKey(changed.metadata.namespace, changed.kind, changed.metadata.name))
      .map((object) => object.metadata);
}

/** The object that a pod works for, by one of Rune's labels; a Job's pods are owned by the Job, not by the object. */
export function labelled(name: string) {
  return (pod: KubeObject): ObjectKey[] => {
    const owner = pod.metadata.labels?.[name];
    return owner ? [{ namespace: pod.metadata.namespace, name: owner }] : [];
  };
}
