import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { kubectl } from "@rune/cluster/api";
import { progress } from "@rune/cluster/progress";
import { settings } from "@rune/cluster/settings";
import type { Condition } from "@rune/crds/fields/condition";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { stringify } from "yaml";
import type { Manifest } from "./manifests.ts";

/** The fields of a cluster object that the quickstart reads. */
export interface Seen<Status> {
  kind: string;
  metadata: { name: string; labels?: Record<string, string> };
  status?: Status & { conditions?: Condition[] };
}

/** `kubectl apply` of manifests that are also written to out/quickstart. */
export function apply(file: string, ...manifests: Manifest[]): Promise<void> {
  return applyKept(join("quickstart", file), ...manifests);
}

/** `kubectl apply` of manifests that are also written to a file under `out`. */
export async function applyKept(path: string, ...manifests: Manifest[]): Promise<void> {
  const text = manifests.map((manifest) => stringify(manifest)).join("---\n");
  const file = join(settings.out, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  await kubectl(["apply", "--server-side", "-f", "-"], { input: text });
}

/**
 * Specs are frozen, so a second run needs an empty namespace: deletes the one that an earlier run made. Throws if it is not
 * the example's own.
 */
export async function emptyNamespace(namespace: string, ownLabels: Record<string, string>, run = kubectl): Promise<void> {
  if (!(await ownNamespaceExists(namespace, ownLabels, run))) return;
  await progress.step(`deleting what an earlier run left in namespace ${namespace}`, async () => {
    // First objects with pods that have a long grace period: otherwise half of it passes before Kubernetes looks at the
    // namespace again.
    await run(["delete", "modelservers", "--all", "-n", namespace, "--cascade=foreground", "--timeout=3m"]);
    await run(["delete", "namespace", namespace, "--timeout=5m"]);
  });
}

/**
 * Whether an earlier run's namespace exists. Throws if one exists that lacks the example's labels: this run would put them
 * on it, and the next one would delete it with all that it holds.
 */
export async function ownNamespaceExists(namespace: string, ownLabels: Record<string, string>, run = kubectl): Promise<boolean> {
  const found = await run(["get", "namespace", namespace, "--ignore-not-found", "-o", "json"]);
  if (!found.trim()) return false;
  const { labels = {} }: { labels?: Record<string, string> } = JSON.parse(found).metadata;
  if (Object.entries(ownLabels).every(([key, value]) => labels[key] === value)) return true;
  throw new Error(
    `namespace ${namespace} exists and was not made by this example, which deletes its namespace when it runs again. Use another one, or delete it: kubectl delete namespace ${namespace}`,
  );
}

export async function get<Status>(kind: string, namespace: string, name: string): Promise<Seen<Status>> {
  return JSON.parse(await kubectl(["get", kind, name, "-n", namespace, "-o", "json"]));
}

export async function list<Status>(kind: string, namespace: string, labels: Record<string, string> = {}): Promise<Seen<Status>[]> {
  const selector = selectorOf(labels);
  return JSON.parse(await kubectl(["get", kind, "-n", namespace, "-o", "json", ...(selector ? ["-l", selector] : [])])).items;
}

function selectorOf(labels: Record<string, string>): string {
  return Object.entries(labels)
    .map(([key, value]) => `${key}=${value}`)
    .join(",");
}

export const condition = (object: Seen<unknown>, type: string) => object.status?.conditions?.find((each) => each.type === type);
export const isTrue = (object: Seen<unknown>, type: string) => condition(object, type)?.status === "True";
export const isOver = (object: Seen<unknown>) => isTrue(object, "Succeeded") || isTrue(object, "Failed");

/** An object's own status, for a line of progress. */
export function words(object: Seen<unknown>): string {
  const ready = condition(object, "Ready");
  return ready ? `${ready.reason}: ${ready.message}` : "not reconciled yet";
}

const pollMilliseconds = 3000;
/** An API server that restarts, or a network that is interrupted, must not end a run of hours. */
const patienceMilliseconds = 5 * 60_000;

/**
 * Repeats `look` until `done` holds; `detail` receives what to show meanwhile. Throws what `look` throws once it has failed
 * for five minutes, and at once if an object doesn't exist.
 */
export async function until<T>(look: () => Promise<T>, done: (seen: T) => boolean, detail: (seen: T) => void): Promise<T> {
  let answered = Date.now();
  for (;;) {
    const { seen, error } = await look().then(
      (seen) => ({ seen, error: undefined }),
      (error: Error) => ({ seen: undefined, error }),
    );
    if (seen !== undefined) {
      answered = Date.now();
      detail(seen);
      if (done(seen)) return seen;
    } else if (Date.now() - answered >= patienceMilliseconds || /\(NotFound\)/.test(error?.message ?? "")) throw error;
    await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
  }
}

/** Waits until the object succeeds; otherwise throws with its Ready message. */
export async function untilOver<Status>(
  kind: string,
  namespace: string,
  name: string,
  detail: (text: string) => void,
): Promise<Seen<Status>> {
  const seen = await until(
    () => get<Status>(kind, namespace, name),
    (object) => isOver(object) || isTrue(object, "Stalled"),
    (object) => detail(words(object)),
  );
  if (!isTrue(seen, "Succeeded"))
    throw new Error(`${kind} ${name} can't continue: ${words(seen)}\nSee: kubectl describe ${kind.toLowerCase()} ${name} -n ${namespace}`);
  return seen;
}

/** Waits until a ModelServer is ready; otherwise throws with its Ready message. */
export async function serverReady(
  namespace: string,
  name: string,
  detail: (text: string) => void,
): Promise<Seen<NonNullable<ModelServer["status"]>>> {
  const server = await until(
    () => get<NonNullable<ModelServer["status"]>>("ModelServer", namespace, name),
    (object) => isTrue(object, "Ready") || isTrue(object, "Stalled"),
    (object) => detail(words(object)),
  );
  if (!isTrue(server, "Ready")) throw new Error(`ModelServer ${name} can't continue: ${words(server)}`);
  return server;
}
