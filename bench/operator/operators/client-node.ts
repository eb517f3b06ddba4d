import {
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  type KubernetesListObject,
  type KubernetesObject,
  makeInformer,
  type V1ConfigMap,
} from "@kubernetes/client-node";
import { ordersFrom, tell } from "./environment.ts";

/** client-node's informer with the minimum that makes it an operator: a queue of keys, workers, retries. */
interface Widget extends KubernetesObject {
  spec?: { revision?: number; children?: number };
  status?: { revision?: number; children?: number; conditions?: { type: string; lastTransitionTime: string }[] };
}

const orders = ordersFrom(process.env);
const { namespace } = orders;
const widgets = { group: "bench.rune.dev", version: "v1", namespace, plural: "widgets" };
const config = new KubeConfig();
config.loadFromDefault();
const custom = config.makeApiClient(CustomObjectsApi);
const core = config.makeApiClient(CoreV1Api);
const informer = makeInformer<Widget>(
  config,
  `/apis/bench.rune.dev/v1/namespaces/${namespace}/widgets`,
  () => custom.listNamespacedCustomObject(widgets) as Promise<KubernetesListObject<Widget>>,
);
const children = makeInformer<V1ConfigMap>(config, `/api/v1/namespaces/${namespace}/configmaps`, () =>
  core.listNamespacedConfigMap({ namespace }),
);
const childrenByOwner = new Map<string, Set<string>>();
const queue = new Set<string>();
const running = new Set<string>();
const idle: (() => void)[] = [];
let passes = 0;

function enqueue(name: string | undefined): void {
  if (!name || orders.mode === "cache") return;
  queue.add(name);
  idle.pop()?.();
}

function take(): string | undefined {
  for (const name of queue) {
    if (running.has(name)) continue;
    queue.delete(name);
    running.add(name);
    return name;
  }
  return undefined;
}

async function work(): Promise<never> {
  for (;;) {
    const name = take();
    if (name === undefined) {
      await new Promise<void>((resolve) => idle.push(resolve));
      continue;
    }
    try {
      await reconcile(name);
    } catch (error) {
      setTimeout(() => enqueue(name), isConflict(error) ? 5 : 1000);
    } finally {
      running.delete(name);
      if (queue.has(name)) idle.pop()?.();
    }
  }
}

async function reconcile(name: string): Promise<void> {
  passes += 1;
  const widget = informer.get(name, namespace);
  if (!widget) return;
  if (orders.mode === "children" && !(await ensureChildren(widget))) return;
  if (widget.status?.revision === widget.spec?.revision) return;
  const { generation } = widget.metadata ?? {};
  const { revision, children } = widget.spec ?? {};
  const status = { revision, children, observedGeneration: generation, conditions: [readyCondition(widget, generation)] };
  await custom.replaceNamespacedCustomObjectStatus({ ...widgets, name, body: { ...widget, status } });
}

function readyCondition({ status }: Widget, observedGeneration: number | undefined) {
  const since = status?.conditions?.find(({ type }) => type === "Ready")?.lastTransitionTime;
  const lastTransitionTime = since ?? `${new Date().toISOString().slice(0, 19)}Z`;
  return { type: "Ready", status: "True", reason: "Ready", message: "", lastTransitionTime, observedGeneration };
}

/** Creates what the cache lacks; true once the cache has them all. */
async function ensureChildren(widget: Widget): Promise<boolean> {
  const wanted = widget.spec?.children ?? 0;
  const { name = "", uid = "" } = widget.metadata ?? {};
  const known = childrenByOwner.get(uid);
  if ((known?.size ?? 0) >= wanted) return true;
  const owner = { apiVersion: "bench.rune.dev/v1", kind: "Widget", name, uid, controller: true, blockOwnerDeletion: true };
  for (let index = 0; index < wanted; index += 1) {
    const child = `${name}-${index}`;
    if (known?.has(child)) continue;
    const body: V1ConfigMap = { metadata: { namespace, name: child, ownerReferences: [owner] }, data: { index: String(index) } };
    await core.createNamespacedConfigMap({ namespace, body }).catch((error: unknown) => {
      if (!isConflict(error)) throw error;
    });
  }
  return false;
}

/** Also for "exists already". */
function isConflict(error: unknown): boolean {
  return (error as { code?: number }).code === 409;
}

function fileChild(child: V1ConfigMap): void {
  const owner = child.metadata?.ownerReferences?.find(({ controller }) => controller);
  if (!owner) return;
  const known = childrenByOwner.get(owner.uid) ?? new Set();
  childrenByOwner.set(owner.uid, known.add(child.metadata?.name ?? ""));
  enqueue(owner.name);
}

async function keepRunning<T extends KubernetesObject>(watched: ReturnType<typeof makeInformer<T>>): Promise<void> {
  watched.on("error", () => setTimeout(() => void watched.start(), 1000));
  await watched.start();
}

process.once("SIGTERM", () => process.exit(0));
process.on("SIGUSR2", () => tell({ passes }));
informer.on("change", ({ metadata }) => enqueue(metadata?.name));
children.on("add", fileChild);
children.on("update", fileChild);
if (orders.mode === "children") await keepRunning(children);
await keepRunning(informer);
tell({ synced: true });
for (let worker = 0; worker < orders.workers; worker += 1) void work();
