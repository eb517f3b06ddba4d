import {
  Client,
  configMaps,
  controllerOf,
  type DynamicObject,
  type KubeObject,
  Manager,
  ownerReference,
  ready,
  resource,
  silentLogger,
  staticCredentials,
  unchanged,
} from "kopf-ts";
import { ordersFrom, tell } from "./environment.ts";

interface Widget extends KubeObject {
  spec?: { revision?: number; children?: number };
  status?: { revision?: number; children?: number };
}

const widgets = resource<Widget>({ group: "bench.rune.dev", version: "v1", kind: "Widget", plural: "widgets" });
const ownerIndex = "owner";
const orders = ordersFrom(process.env);
let passes = 0;

// As in a pod, where credentials are files and client-node (which reads kubeconfigs) is not loaded.
const client = Client.fromCredentials(staticCredentials(orders.server, { tls: orders.tls }));
const manager = new Manager({ client, namespaces: [orders.namespace], logger: silentLogger });

function statusOf(widget: Widget) {
  return ready({ revision: widget.spec?.revision, children: widget.spec?.children });
}

function childrenOf(widget: Widget): DynamicObject[] {
  const { namespace, name } = widget.metadata;
  return Array.from({ length: widget.spec?.children ?? 0 }, (_, index) => ({
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace, name: `${name}-${index}`, ownerReferences: [ownerReference(widget)] },
    data: { index: String(index) },
  }));
}

if (orders.mode === "cache") manager.cache(widgets);
else {
  const controller = manager.controller("widget").for(widgets).withOptions({ maxConcurrentReconciles: orders.workers });
  if (orders.mode === "children") {
    manager.cache(configMaps).indexField(ownerIndex, (object) => controllerOf(object)?.uid);
    controller.owns(configMaps);
  }
  controller.complete((widget, ctx) => {
    passes += 1;
    if (orders.mode === "children") {
      const owned = new Set(
        ctx
          .cache(configMaps)
          .byIndex(ownerIndex, widget.metadata.uid ?? "")
          .map(({ metadata }) => metadata.name),
      );
      if (owned.size < (widget.spec?.children ?? 0)) {
        return unchanged().creating(...childrenOf(widget).filter(({ metadata }) => !owned.has(metadata.name)));
      }
    }
    return statusOf(widget);
  });
}

const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
process.on("SIGUSR2", () => tell({ passes }));
await manager.start();
tell({ synced: true });
stop.signal.addEventListener("abort", () => void manager.stop());
await manager.done;
