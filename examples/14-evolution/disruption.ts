import { setTimeout as sleep } from "node:timers/promises";
import { below, seeded } from "@rune/clients/statistics/random";
import { kubectl } from "@rune/cluster/api";
import type { Options } from "./options.ts";

/** Components of the installation; each is one pod that is not replaced by another while it restarts. */
const services = ["operator", "nats", "registry"];
const servicesNamed = `app.kubernetes.io/component in (${services.join(",")})`;
/**
 * Components of the work itself. The engine is excluded: it takes a minute to restart, during which nothing else could
 * be hit.
 */
const workersNamed = "app.kubernetes.io/component in (trainer,evaluator,sandbox)";
const componentLabel = "app.kubernetes.io/component";

interface Pod {
  metadata: { name: string; deletionTimestamp?: string; labels: Record<string, string> };
  status: { phase: string };
}

/** Number of kills by component. */
export type Kills = Record<string, number>;

/** Does the work, and meanwhile kills a pod every N seconds, at once, as a lost node would; with 0 seconds none. */
export async function disrupted<T>(options: Options, work: () => Promise<T>): Promise<{ result: T; kills: Kills }> {
  const kills: Kills = {};
  const over = new AbortController();
  const killing = options.killEverySeconds > 0 ? keepKilling(options, kills, over.signal) : Promise.resolve();
  try {
    const result = await work();
    return { result, kills };
  } finally {
    over.abort();
    await killing;
    await servicesBack(options);
  }
}

async function keepKilling({ namespace, systemNamespace, killEverySeconds }: Options, kills: Kills, over: AbortSignal): Promise<void> {
  const random = seeded(1, "kills of an evolution");
  while (!over.aborted) {
    await sleep(killEverySeconds * 1000, undefined, { signal: over }).catch(() => undefined);
    if (over.aborted) return;
    const isService = random() < 0.3;
    const where = isService ? systemNamespace : namespace;
    const pods = await running(where, isService ? servicesNamed : workersNamed);
    const pod = pods[below(pods.length, random)];
    if (!pod) continue;
    await kubectl(["delete", "pod", pod.metadata.name, "-n", where, "--grace-period=0", "--force", "--wait=false"]);
    const component = pod.metadata.labels[componentLabel] ?? pod.metadata.name;
    kills[component] = (kills[component] ?? 0) + 1;
  }
}

async function running(namespace: string, selector: string): Promise<Pod[]> {
  const found: { items: Pod[] } = JSON.parse(await kubectl(["get", "pods", "-n", namespace, "-l", selector, "-o", "json"]));
  return found.items.filter(({ metadata, status }) => status.phase === "Running" && !metadata.deletionTimestamp);
}

/** Waits for the services, because later checks query the registry. */
async function servicesBack({ systemNamespace, killEverySeconds }: Options): Promise<void> {
  if (killEverySeconds === 0) return;
  await kubectl(["wait", "pods", "-n", systemNamespace, "-l", servicesNamed, "--for=condition=Ready", "--timeout=3m"]);
}
