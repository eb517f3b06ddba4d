/** A mapped watch: Deployments that name a ConfigMap are rolled out again when it changes. */
import { createHash } from "node:crypto";
import { Client, configMaps, type DynamicObject, deployments, Manager, unchanged } from "kopf-ts";

const annotation = "examples.kopf-ts.dev/reload-on";
const manager = new Manager({ client: await Client.fromEnvironment(process.env) });

const idOf = ({ metadata }: DynamicObject, name: string) => `${metadata.namespace}/${name}`;
manager.cache(deployments).indexField("reloadOn", (object) => {
  const name = object.metadata.annotations?.[annotation];
  return name && idOf(object, name);
});

manager
  .controller("reloader")
  .for(deployments)
  .watches(configMaps, (configMap) => {
    return manager
      .cache(deployments)
      .byIndex("reloadOn", idOf(configMap, configMap.metadata.name))
      .map(({ metadata }) => metadata);
  })
  .complete((deployment, ctx) => {
    const { namespace, name, annotations } = deployment.metadata;
    const configMap = annotations?.[annotation] && ctx.cache(configMaps).get({ namespace, name: annotations[annotation] });
    if (!configMap) return unchanged();
    const digest = createHash("sha256").update(JSON.stringify(configMap.data)).digest("hex").slice(0, 16);
    // Only these fields are ours; the rest of the Deployment belongs to others.
    return unchanged().applying({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { namespace, name },
      spec: { template: { metadata: { annotations: { "examples.kopf-ts.dev/config": digest } } } },
    });
  });

await manager.run();
