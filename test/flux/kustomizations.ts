import { kubectl } from "../../cluster/api.ts";
import type { Manifest } from "../../examples/shared/manifests.ts";
import { condition, isTrue, list, type Seen } from "../../examples/shared/objects.ts";
import { eventually, listOf } from "../support/objects.ts";
import { fluxNamespace, sourceName } from "./manifests.ts";

/** What a Kustomization's status says. */
export type Kustomization = Seen<{ lastHandledReconcileAt?: string; inventory?: { entries: { id: string }[] } }>;

const kind = "kustomizations.kustomize.toolkit.fluxcd.io";

/** All Kustomizations, in the order of their names, which is that of the phases. */
export const kustomizations = async (): Promise<Kustomization[]> => await list(kind, fluxNamespace);

/** Applies the manifests, and gives their source this status, which needs a controller of its own otherwise. */
export async function apply(manifests: readonly Manifest[], sourceStatus: object): Promise<void> {
  await kubectl(["apply", "--server-side", "-f", "-"], { input: listOf(manifests) });
  const patch = ["--subresource=status", "--type=merge", "--patch", JSON.stringify({ status: sourceStatus })];
  await kubectl(["patch", "gitrepository", sourceName, "-n", fluxNamespace, ...patch]);
}

/**
 * Deletes all Kustomizations, and leaves what they made. Their finalizer is taken away, because Flux only looks at a
 * deleted one when its health check has ended.
 */
export async function removeKustomizations(): Promise<void> {
  await kubectl(["delete", kind, "--all", "-n", fluxNamespace, "--wait=false"]);
  const release = ({ metadata }: Kustomization) =>
    kubectl(["patch", kind, metadata.name, "-n", fluxNamespace, "--type=merge", "--patch", '{"metadata":{"finalizers":null}}']);
  await eventually(
    "no Kustomization is left",
    async () => {
      const left = await kustomizations();
      await Promise.allSettled(left.map(release));
      return left.length;
    },
    (left) => left === 0,
  );
}

/** Asks Flux to look at a Kustomization, as `flux reconcile` does, and returns it as it is afterwards. */
export async function lookedAtAgain(name: string): Promise<Kustomization | undefined> {
  const now = new Date().toISOString();
  await kubectl(["annotate", kind, name, "-n", fluxNamespace, "--overwrite", `reconcile.fluxcd.io/requestedAt=${now}`]);
  return await eventually(
    `Flux has looked at ${name} again`,
    async () => (await kustomizations()).find(({ metadata }) => metadata.name === name),
    (seen) => seen?.status?.lastHandledReconcileAt === now,
  );
}

/** How the Kustomizations went. */
export interface Course {
  /** Their names, in the order in which they were first Ready. */
  readonly ready: readonly string[];
  /** Names of those that were applied while the one before had never been Ready. */
  readonly early: readonly string[];
}

/** The course after another look at all Kustomizations, given in the order of the phases. */
export function advanced({ ready, early }: Course, all: readonly Kustomization[]): Course {
  const nowReady = all.filter((each) => isTrue(each, "Ready")).map(nameOf);
  const everReady = [...ready, ...nowReady.filter((name) => !ready.includes(name))];
  const nowEarly = all.filter((each, index) => {
    const before = all[index - 1];
    return before !== undefined && each.status?.inventory !== undefined && !everReady.includes(nameOf(before));
  });
  return { ready: everReady, early: [...new Set([...early, ...nowEarly.map(nameOf)])] };
}

/** Whether a Kustomization has failed, and not only waits for another or for its source. */
export function hasFailed(kustomization: Kustomization): boolean {
  const ready = condition(kustomization, "Ready");
  return ready?.status === "False" && !["DependencyNotReady", "ArtifactFailed"].includes(ready.reason);
}

/** Follows the Kustomizations until all have been Ready or one has failed. */
export async function follow(minutes: number): Promise<Course> {
  let course: Course = { ready: [], early: [] };
  await eventually(
    "every Kustomization is Ready or one has failed",
    async () => {
      const all = await kustomizations();
      course = advanced(course, all);
      return all;
    },
    (all) => all.some(hasFailed) || (all.length > 0 && course.ready.length === all.length),
    minutes,
  );
  return course;
}

const nameOf = ({ metadata }: Kustomization) => metadata.name;
