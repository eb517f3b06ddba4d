import { setTimeout as pause } from "node:timers/promises";
import {
  Client,
  configMaps,
  type DynamicObject,
  jsonLogger,
  type KubeObject,
  keyOf,
  Manager,
  ownerReference,
  progressing,
  ready,
  resource,
  staticCredentials,
  unchanged,
} from "kopf-ts";
import { tell } from "../operators/environment.ts";
import { monotonicMicroseconds } from "../proc.ts";

/** The operator under soak: a finalizer, a status, and one owned ConfigMap per object. It reports every run. */
interface Widget extends KubeObject {
  spec?: { revision?: number };
}

const { RUNE_SOAK_SERVER: server, RUNE_SOAK_NAMESPACE: namespace } = process.env;
if (!server || !namespace) throw new Error("this operator is started by the soak, which sets RUNE_SOAK_SERVER and RUNE_SOAK_NAMESPACE");
const widgets = resource<Widget>({ group: "bench.rune.dev", version: "v1", kind: "Widget", plural: "widgets" });
const finalizer = "bench.rune.dev/soak";

const manager = new Manager({
  client: Client.fromCredentials(staticCredentials(server)),
  namespaces: [namespace],
  logger: jsonLogger(),
  leaderElection: { name: "soak", namespace },
});

manager
  .controller("widget")
  .for(widgets)
  .owns(configMaps)
  .withOptions({ maxConcurrentReconciles: 10, longestBackoffMilliseconds: 10_000 })
  .complete(async (widget, ctx) => {
    const key = keyOf(widget.metadata);
    tell({ from: monotonicMicroseconds(), key });
    try {
      await pause(1 + Math.random() * 10);
      return decide(widget, ctx.cache(configMaps).get(widget.metadata));
    } finally {
      tell({ to: monotonicMicroseconds(), key });
    }
  });

function decide(widget: Widget, child: DynamicObject | undefined) {
  const { namespace, name, deletionTimestamp } = widget.metadata;
  const revision = widget.spec?.revision;
  if (deletionTimestamp) {
    // By name: the cache may not have the last pass's write yet, and nothing here collects garbage.
    const gone = { apiVersion: "v1", kind: "ConfigMap", metadata: { namespace, name } };
    return unchanged().deleting(gone).finalizer(finalizer, false);
  }
  if (child?.data?.revision === String(revision)) return ready({ revision }).finalizer(finalizer, true);
  return progressing("Writing", "the ConfigMap is being written")
    .finalizer(finalizer, true)
    .applying({
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace, name, ownerReferences: [ownerReference(widget)] },
      data: { revision: String(revision) },
    });
}

/** For finding the cause of a missed key: this replica's state, in its log. */
process.on("SIGUSR2", () => {
  for (const widget of manager.cache(widgets).list()) {
    const child = manager.cache(configMaps).get(widget.metadata);
    process.stderr.write(`${JSON.stringify({ leads: manager.leads, cached: widget, child: child?.data })}\n`);
  }
  void manager.metrics.text().then((text) => process.stderr.write(text));
});

const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
await manager.run(stop.signal);
