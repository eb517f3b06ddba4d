/** What a program of several replicas needs: a Lease, probes and metrics, one namespace, handlers and reconcilers side by side. */
import { Client, configMaps, Handlers, Manager, unchanged } from "kopf-ts";

const client = await Client.fromEnvironment(process.env);
const namespace = process.env.NAMESPACE ?? "default";
const manager = new Manager({
  client,
  namespaces: [namespace],
  leaderElection: { name: "example-operator", namespace },
  health: { port: Number(process.env.PORT ?? 8080), host: "127.0.0.1" },
  watchList: true,
});

const handlers = manager.use(new Handlers());
handlers.on.startup(async ({ logger }) => {
  const version = await client.request<{ gitVersion: string }>({ method: "GET", path: "/version" }).catch(() => undefined);
  logger.info("talking to Kubernetes", { version: version?.gitVersion ?? "unknown" });
});
handlers.on.probe({ id: "leads" }, () => manager.leads);
handlers.on.event(configMaps, { labels: { audit: "yes" } }, ({ type, name, logger }) => logger.info("audit", { type, name }));

manager
  .controller("stamp")
  .for(configMaps, { labelSelector: { stamp: "yes" } })
  .withOptions({ maxConcurrentReconciles: 8, reconcileTimeoutSeconds: 30 })
  .complete(({ metadata }) =>
    unchanged().applying({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: metadata.namespace, name: metadata.name, annotations: { stamped: "by the leader" } },
    }),
  );

await manager.run();
