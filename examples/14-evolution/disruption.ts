import { setTimeout as sleep } from "node:timers/promises";
import { below, seeded } from "@rune/clients/statistics/random";
import { kubectl } from "@rune/cluster/api";
import { isOver, list } from "../00-quickstart/objects.ts";
import { effectsOf, type GenerationStatus, type Struck, victimOf, workerIn } from "./effects.ts";
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

/** What was killed: a number by component, and each kill that followed an effect. */
export interface Kills {
  readonly byComponent: Record<string, number>;
  readonly struck: Struck[];
}

/** Does the work, and meanwhile kills pods as the options say, at once, as a lost node would. */
export async function disrupted<T>(options: Options, work: () => Promise<T>): Promise<{ result: T; kills: Kills }> {
  const kills: Kills = { byComponent: {}, struck: [] };
  const over = new AbortController();
  const killing = kill(options, kills, over.signal);
  try {
    const result = await work();
    return { result, kills };
  } finally {
    over.abort();
    await killing;
    await servicesBack(options);
  }
}

async function kill(options: Options, kills: Kills, over: AbortSignal): Promise<void> {
  if (options.killEverySeconds > 0) await killEvery(options, kills, over);
  if (options.killAtEffects) await killAtEffects(options, kills, over);
}

async function killEvery({ namespace, systemNamespace, killEverySeconds }: Options, kills: Kills, over: AbortSignal): Promise<void> {
  const random = seeded(1, "kills of an evolution");
  while (!over.aborted) {
    await sleep(killEverySeconds * 1000, undefined, { signal: over }).catch(() => undefined);
    if (over.aborted) return;
    const isService = random() < 0.3;
    const where = isService ? systemNamespace : namespace;
    const pods = await running(where, isService ? servicesNamed : workersNamed);
    const pod = pods[below(pods.length, random)];
    if (pod) await killPod(where, pod, kills);
  }
}

/**
 * Kills a service as soon as a generation's status shows an effect (of several at once the last counts), and each kind of
 * worker once in each generation while it works.
 */
async function killAtEffects({ namespace, systemNamespace }: Options, kills: Kills, over: AbortSignal): Promise<void> {
  const seen = new Map<string, Set<string>>();
  while (!over.aborted) {
    await sleep(500, undefined, { signal: over }).catch(() => undefined);
    const generations = await list<GenerationStatus>("EvolutionGeneration", namespace);
    const workers = await running(namespace, workersNamed);
    for (const generation of generations) {
      const { name } = generation.metadata;
      const before = seen.get(name) ?? new Set<string>();
      const working = isOver(generation) ? [] : workers.map(componentOf);
      const now = effectsOf(generation.status, working);
      const fresh = now.filter((each) => !before.has(each));
      // Workers still work at the next look.
      const effect = fresh.findLast((each) => workerIn(each) === undefined) ?? fresh[0];
      seen.set(name, new Set([...before, ...now.filter((each) => each === effect || workerIn(each) === undefined)]));
      if (!effect || over.aborted) continue;
      const services = await running(systemNamespace, servicesNamed);
      const component = workerIn(effect) ?? victimOf(services.map(componentOf), effect, kills.struck);
      const pod = [...services, ...workers].find((each) => componentOf(each) === component);
      if (!pod || !component) continue;
      await killPod(services.includes(pod) ? systemNamespace : namespace, pod, kills);
      kills.struck.push({ generation: name, effect, component });
    }
  }
}

const componentOf = ({ metadata }: Pod) => metadata.labels[componentLabel] ?? metadata.name;

async function killPod(namespace: string, pod: Pod, { byComponent: counts }: Kills): Promise<void> {
  await kubectl(["delete", "pod", pod.metadata.name, "-n", namespace, "--grace-period=0", "--force", "--wait=false"]);
  const component = componentOf(pod);
  counts[component] = (counts[component] ?? 0) + 1;
}

async function running(namespace: string, selector: string): Promise<Pod[]> {
  const found: { items: Pod[] } = JSON.parse(await kubectl(["get", "pods", "-n", namespace, "-l", selector, "-o", "json"]));
  return found.items.filter(({ metadata, status }) => status.phase === "Running" && !metadata.deletionTimestamp);
}

/** Waits for the services, because later checks query the registry. */
async function servicesBack({ systemNamespace, killEverySeconds, killAtEffects }: Options): Promise<void> {
  if (killEverySeconds === 0 && !killAtEffects) return;
  await kubectl(["wait", "pods", "-n", systemNamespace, "-l", servicesNamed, "--for=condition=Ready", "--timeout=3m"]);
}
