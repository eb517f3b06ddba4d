import { randomUUID } from "node:crypto";
import { Client } from "../api/client.ts";
import type { DynamicObject } from "../api/object.ts";
import { namespaces, type Resource, resource } from "../api/resource.ts";
import { isTrue } from "../outcome/conditions.ts";

const customResourceDefinitions = resource({
  group: "apiextensions.k8s.io",
  version: "v1",
  kind: "CustomResourceDefinition",
  plural: "customresourcedefinitions",
  namespaced: false,
});

/** A dedicated place on a real cluster for one test. */
export interface ClusterPlace {
  readonly client: Client;
  /** Created for this test, and deleted after it with everything in it. */
  readonly namespace: string;
  /** Another client of the same cluster, for an operator under test: the caller closes it. */
  readonly newClient: () => Promise<Client>;
}

/** Which cluster a test uses, and what must be installed. */
export interface ClusterOptions {
  /** A path. Default: what kubectl would use. */
  readonly kubeconfig?: string;
  /** CustomResourceDefinitions. Existing ones stay. */
  readonly crds?: readonly DynamicObject[];
}

/**
 * Gives a test a dedicated namespace on the cluster of a kubeconfig (its path, or options), with these
 * CustomResourceDefinitions installed and served; removes everything afterwards, also when the test fails. Existing
 * definitions stay.
 *
 * @throws Error if a CustomResourceDefinition is not established within 30 s.
 *
 * @example
 * ```ts
 * import { configMaps } from "kopf-ts";
 * import { withCluster } from "kopf-ts/testing";
 *
 * await withCluster({ kubeconfig: process.env.KUBECONFIG }, async ({ client, namespace }) => {
 *   await client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name: "a" } });
 * });
 * ```
 */
export async function withCluster<T>(where: string | ClusterOptions, use: (place: ClusterPlace) => Promise<T>): Promise<T> {
  const options = typeof where === "string" ? { kubeconfig: where } : where;
  return await lend(options, use);
}

async function lend<T>(options: ClusterOptions, use: (place: ClusterPlace) => Promise<T>): Promise<T> {
  const environment = options.kubeconfig ? { ...process.env, KUBECONFIG: options.kubeconfig } : process.env;
  const newClient = () => Client.fromEnvironment(environment);
  const client = await newClient();
  const namespace = `kopf-ts-${randomUUID().slice(0, 8)}`;
  const installed: string[] = [];
  try {
    await client.create(namespaces, { apiVersion: "v1", kind: "Namespace", metadata: { name: namespace } });
    for (const crd of options.crds ?? []) if (await install(client, crd)) installed.push(crd.metadata.name);
    return await use({ client, namespace, newClient });
  } finally {
    for (const crd of options.crds ?? []) await release(client, crd, namespace).catch(() => {});
    for (const name of installed) await client.delete(customResourceDefinitions, { name }).catch(() => {});
    await client.delete(namespaces, { name: namespace }).catch(() => {});
    await client.close();
  }
}

/** Removes finalizers whose operator no longer runs: they would keep the namespace and the definition permanently. */
async function release(client: Client, { spec }: DynamicObject, namespace: string): Promise<void> {
  const { group, names, versions } = spec;
  const [{ name: version }] = versions;
  const lent: Resource<DynamicObject> = { group, version, kind: names.kind, plural: names.plural, namespaced: spec.scope === "Namespaced" };
  const { items } = await client.list(lent, { namespace });
  for (const { metadata } of items) {
    if (!metadata.finalizers?.length) continue;
    await client.patch(lent, { namespace, name: metadata.name }, { metadata: { finalizers: [] } });
  }
}

/** Whether it was missing. */
async function install(client: Client, crd: DynamicObject): Promise<boolean> {
  const { name } = crd.metadata;
  const isThere = await client.find(customResourceDefinitions, { name });
  if (!isThere) await client.create(customResourceDefinitions, crd);
  for (let attempt = 0; !isTrue(await client.get(customResourceDefinitions, { name }), "Established"); attempt += 1) {
    if (attempt > 300) throw new Error(`the CustomResourceDefinition ${name} was not established within 30 s`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return !isThere;
}
