import { ArtifactMissing, artifactDigest, type Push } from "@rune/clients/registry/registry";
import { taskSetFile } from "@rune/clients/tasks/task-set";
import { register } from "@rune/controllers/evolution-generation/controller";
import type { Services } from "@rune/controllers/shared/services";
import { config } from "@rune/controllers/testing/objects";
import { Client, Manager, silentLogger, staticCredentials } from "kopf-ts";
import { mediaType } from "../../crds/contracts/artifact.ts";
import { ordersFrom, tell } from "../operator/operators/environment.ts";

/**
 * Only the operator's controller of EvolutionGenerations, on a real API server. Its registry is a fake in memory, which
 * responds at once.
 */
const orders = ordersFrom(process.env);

const tags = new Map<string, string>();
const evidence = new Map<string, object>();
const taskSets = new Map<string, unknown>();

const registry = {
  resolveTag: async (_: string, tag: string) => tags.get(tag) ?? null,
  descriptor: async (_: string, digest: string) => ({ mediaType: mediaType.manifest, digest, size: 1 }),
  manifest: async (_: string, digest: string) => {
    const found = evidence.get(digest);
    if (found) return { manifest: { artifactType: mediaType.evidence, subject: Object(found).adapter, config: { digest }, layers: [] } };
    const isTasks = taskSets.has(digest);
    if (!isTasks) throw new ArtifactMissing(`${digest} isn't there`);
    const layers = [{ digest, annotations: { "org.opencontainers.image.title": taskSetFile } }];
    return { manifest: { artifactType: mediaType.taskSet, layers } };
  },
  json: async (_: string, { digest }: { digest: string }) => evidence.get(digest) ?? taskSets.get(digest),
  push: async (input: Push) => {
    const digest = await artifactDigest(input);
    const [file] = input.files;
    if (file?.bytes) taskSets.set(digest, JSON.parse(Buffer.from(file.bytes).toString("utf8")));
    else evidence.set(digest, Object(input.config));
    if (input.tag) tags.set(input.tag, digest);
    return { digest };
  },
};

const client = Client.fromCredentials(staticCredentials(orders.server, { tls: orders.tls }));
const manager = new Manager({ client, namespaces: [orders.namespace], logger: silentLogger });
register(manager, { config, registry: () => registry } as unknown as Services);

const stop = new AbortController();
process.once("SIGTERM", () => stop.abort());
process.on("SIGUSR2", async () => {
  const metrics = await manager.metrics.registry.getMetricsAsJSON();
  const counter = metrics.find(({ name }) => name === "controller_runtime_reconcile_total");
  tell({ passes: (counter?.values ?? []).reduce((sum, { value }) => sum + value, 0) });
});
await manager.start();
tell({ synced: true });
stop.signal.addEventListener("abort", () => void manager.stop());
await manager.done;
