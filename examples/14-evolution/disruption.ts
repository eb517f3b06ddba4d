import { setTimeout as sleep } from "node:timers/promises";
import { below, seeded } from "@rune/clients/statistics/random";
import { kubectl } from "@rune/cluster/api";
import { isOver, list } from "../shared/objects.ts";
import { effectsOf, type GenerationStatus, type Kill, services, victimOf, workerIn, workers } from "./effects.ts";
import type { Options } from "./options.ts";

const componentLabel = "app.kubernetes.io/component";
const named = (components: readonly string[]) => `${componentLabel} in (${components.join(",")})`;

interface Pod {
  metadata: { name: string; deletionTimestamp?: string; labels: Record<string, string> };
  status: { phase: string };
}

/** Does the work, and meanwhile kills pods as the options say, at once, as a lost node would. */
export async function disrupted<T>(options: Options, work: () => Promise<T>): Promise<{ result: T; kills: Kill[] }> {
  const kills: Kill[] = [];
  const over = new AbortController();
  // Its failure must not end the evolution, whose results are worth more than the next kill.
  const killing = kill(options, kills, over.signal).catch((error: Error) => console.error(`no more pods are killed: ${error.message}`));
  try {
    const result = await work();
    return { result, kills };
  } finally {
    over.abort();
    await killing;
    await servicesBack(options);
  }
}

async function kill(options: Options, kills: Kill[], over: AbortSignal): Promise<void> {
  if (options.killEverySeconds > 0) await killEvery(options, kills, over);
  if (options.killAtEffects) await killAtEffects(options, kills, over);
}

async function killEvery({ namespace, systemNamespace, killEverySeconds }: Options, kills: Kill[], over: AbortSignal): Promise<void> {
  const random = seeded(1, "kills of an evolution");
  while (!over.aborted) {
    await sleep(killEverySeconds * 1000, undefined, { signal: over }).catch(() => undefined);
    if (over.aborted) return;
    const isService = random() < 0.3;
    const where = isService ? systemNamespace : namespace;
    const pods = await running(where, isService ? services : workers);
    const pod = pods[below(pods.length, random)];
    if (!pod) continue;
    await killPod(where, pod);
    kills.push({ component: componentOf(pod) });
  }
}

/**
 * Kills a service as soon as a generation's status shows an effect (of several at once the last counts), and each kind of
 * worker once in each generation while it works.
 */
async function killAtEffects({ namespace, systemNamespace }: Options, kills: Kill[], over: AbortSignal): Promise<void> {
  const seen = new Map<string, Set<string>>();
  while (!over.aborted) {
    await sleep(500, undefined, { signal: over }).catch(() => undefined);
    const generations = await list<GenerationStatus>("EvolutionGeneration", namespace);
    const working = await running(namespace, workers);
    for (const generation of generations) {
      const { name } = generation.metadata;
      const before = seen.get(name) ?? new Set<string>();
      const now = effectsOf(generation.status, isOver(generation) ? [] : working.map(componentOf));
      const fresh = now.filter((each) => !before.has(each));
      // Workers still work at the next look.
      const effect = fresh.findLast((each) => workerIn(each) === undefined) ?? fresh[0];
      seen.set(name, new Set([...before, ...now.filter((each) => each === effect || workerIn(each) === undefined)]));
      if (!effect || over.aborted) continue;
      const serving = await running(systemNamespace, services);
      const component = workerIn(effect) ?? victimOf(serving.map(componentOf), effect, kills);
      const pod = [...serving, ...working].find((each) => componentOf(each) === component);
      if (!pod || !component) continue;
      await killPod(serving.includes(pod) ? systemNamespace : namespace, pod);
      kills.push({ component, generation: name, effect });
    }
  }
}

const componentOf = ({ metadata }: Pod) => metadata.labels[componentLabel] ?? metadata.name;

async function killPod(namespace: string, { metadata }: Pod): Promise<void> {
  await kubectl(["delete", "pod", metadata.name, "-n", namespace, "--grace-period=0", "--force", "--wait=false", "--ignore-not-found"]);
}

async function running(namespace: string, components: readonly string[]): Promise<Pod[]> {
  const found: { items: Pod[] } = JSON.parse(await kubectl(["get", "pods", "-n", namespace, "-l", named(components), "-o", "json"]));
  return found.items.filter(({ metadata, status }) => status.phase === "Running" && !metadata.deletionTimestamp);
}

/** Waits for the services, because later checks query the registry. */
async function servicesBack({ systemNamespace, killEverySeconds, killAtEffects }: Options): Promise<void> {
  if (killEverySeconds === 0 && !killAtEffects) return;
  await kubectl(["wait", "pods", "-n", systemNamespace, "-l", named(services), "--for=condition=Ready", "--timeout=3m"]);
}
