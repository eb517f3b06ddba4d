import { monitorEventLoopDelay } from "node:perf_hooks";
import { ArtifactMissing, artifactDigest, type Push } from "@rune/clients/registry/registry";
import { register } from "@rune/controllers/agent-session/controller";
import type { Notice, Services } from "@rune/controllers/shared/services";
import { config } from "@rune/controllers/testing/objects";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import { Client, jobs, type KubeObject, Manager, silentLogger, staticCredentials } from "kopf-ts";
import { ordersFrom, tell } from "../operator/operators/environment.ts";

/**
 * The operator's controller of AgentSessions alone, on a real API server. Its registry and its NATS are fakes in memory, and an agent has
 * solved its task as soon as its Job exists, once the bench has sent SIGHUP; until then agents work.
 */
const orders = ordersFrom(process.env);
const client = Client.fromCredentials(staticCredentials(orders.server, { tls: orders.tls }));
const manager = new Manager({ client, namespaces: [orders.namespace], logger: silentLogger });

const stored = new Set<string>();
const registry = {
  manifest: async (_: string, digest: string) => {
    if (!stored.has(digest)) throw new ArtifactMissing(`${digest} isn't there`);
    return { manifest: { layers: [] } };
  },
  push: async (input: Push) => {
    const digest = await artifactDigest(input);
    stored.add(digest);
    return { digest };
  },
};

const ownerOf = ({ metadata }: KubeObject) => metadata.labels?.["rune.dev/component-owner"];
const working = new Set<string>();
const listeners: ((notice: Notice) => void)[] = [];
let released = false;
const notify = (uid: string) => {
  for (const listener of listeners) listener({ kind: "session", uid });
};
const solved: LogRecord[] = [
  { type: "ended", n: 1, epoch: 1, time: "2026-01-01T00:00:00Z", outcome: "Solved", message: "a program passed" },
];

register(manager, {
  config,
  registry: () => registry,
  clusterDNS: "10.98.0.10",
  runnerToken: () => "token",
  natsCredentials: async () => "credentials",
  onNotice: (listener: (notice: Notice) => void) => listeners.push(listener),
  logs: {
    readLog: async (subject: string) => {
      const records = released && working.has(subject.slice(subject.lastIndexOf(".") + 1)) ? solved : [];
      return { records, lastSequence: records.length };
    },
  },
} as unknown as Services);
manager.cache(jobs).onChange(({ object }) => {
  const uid = ownerOf(object);
  if (!uid || working.has(uid)) return;
  working.add(uid);
  if (released) setImmediate(notify, uid);
});

const stop = new AbortController();
const delay = monitorEventLoopDelay({ resolution: 10 });
delay.enable();
process.once("SIGTERM", () => stop.abort());
process.once("SIGHUP", () => {
  released = true;
  for (const uid of working) notify(uid);
});
process.on("SIGUSR2", async () => {
  const metrics = await manager.metrics.registry.getMetricsAsJSON();
  const counter = metrics.find(({ name }) => name === "controller_runtime_reconcile_total");
  tell({ passes: (counter?.values ?? []).reduce((sum, { value }) => sum + value, 0), lagMilliseconds: delay.percentile(99.9) / 1e6 - 10 });
  delay.reset();
});
await manager.start();
tell({ synced: true });
stop.signal.addEventListener("abort", () => void manager.stop());
await manager.done;
