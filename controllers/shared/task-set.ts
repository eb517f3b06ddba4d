import { ArtifactMissing, artifactDigest, DigestMismatch, largestTaskSet, layerOf } from "@rune/clients/registry/registry";
import { chosenTasks, taskSetArtifact, taskSetFile } from "@rune/clients/tasks/task-set";
import { NotATaskSet, parseTaskSet } from "@rune/clients/tasks/task-set-text";
import { mediaType } from "@rune/crds/contracts/artifact";
import { clusterOf, type HeldOutTask, type TaskSet, taskSet } from "@rune/crds/contracts/task-set";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import type { MeasuredTasks } from "@rune/crds/fields/measurement";
import type { taskSetReference } from "@rune/crds/fields/task-set";
import { type Cache, configMaps } from "kopf-ts";
import { prettifyError, ZodError, type z } from "zod";
import type { Blocker } from "./check.ts";
import { bundledRepository, repositoryOf } from "./names.ts";
import { Reason } from "./reasons.ts";
import { sharedScope } from "./scope.ts";
import type { Services } from "./services.ts";
import { foreignRepository } from "./tenancy.ts";

const retrySeconds = 10;

/** The tasks and their artifact, which isn't stored yet if they come from elsewhere; or why they can't be read. */
export type TasksState = { set: TaskSet; reference: ArtifactReference; stored: boolean } | { blocker: Blocker };

/** A reference to a task set. */
export interface AskedTasks {
  readonly namespace: string;
  readonly reference: z.infer<typeof taskSetReference>;
  /** The frozen tasks, once they are frozen. */
  readonly frozen?: MeasuredTasks | undefined;
  /** The field that names it, such as `spec.taskSet`, and what could name another one, such as `a new evaluation`. */
  readonly field: string;
  readonly again: string;
}

/** Stores a task set in the registry; idempotent, because equal tasks are one artifact. */
export type StoreTasks = (set: TaskSet, repository: string) => Promise<void>;

export const storingTasks =
  (namespace: string, services: Services): StoreTasks =>
  async (set, repository) =>
    void (await services.registry(namespace, repository, ["pull", "push"]).push(taskSetArtifact(set, repository)));

/** Reads the referenced tasks, or the frozen ones. */
export async function observeTasks(asked: AskedTasks, cache: Cache, services: Services): Promise<TasksState> {
  const { namespace, frozen } = asked;
  const { repository, digest, configMap, bundled } = asked.reference;
  if (frozen?.repository) return await inRegistry({ repository: frozen.repository, digest: frozen.digest }, asked, services);
  if (configMap) {
    const found = cache(configMaps).get({ namespace, name: configMap.name });
    const set = inConfigMap(configMap, found?.data, found !== undefined, asked);
    return "blocker" in set ? set : await toStore(set.set, repositoryOf.tasks(namespace), namespace, services);
  }
  if (bundled) {
    const set = await services.bundledTaskSet(bundled);
    if (set) return await toStore(set, bundledRepository(bundled), namespace, services);
    const message = `this build of the operator comes without ${bundled}; build its image by \`npm run cluster -- images\`, or name a task set of your own`;
    return { blocker: { reason: Reason.TaskSetMissing, message } };
  }
  return await inRegistry({ repository: repository ?? "", digest: digest ?? "" }, asked, services);
}

function inConfigMap(
  { name, key }: { name: string; key: string },
  data: Readonly<Record<string, string>> | undefined,
  exists: boolean,
  { field, again }: AskedTasks,
): { set: TaskSet } | { blocker: Blocker } {
  const text = data?.[key];
  if (text === undefined) {
    const keys = Object.keys(data ?? {});
    const has = keys.length > 0 ? `; it has ${keys.slice(0, 5).join(", ")}` : "";
    const message = exists
      ? `the ConfigMap ${name} of ${field} has no entry ${key}${has}; add it, or name another key in ${again}`
      : `waits for the ConfigMap ${name} of ${field}, which doesn't exist; create it, or correct ${field} in ${again}`;
    return { blocker: { reason: Reason.TaskSetMissing, message, retrySeconds } };
  }
  try {
    return { set: parseTaskSet(text) };
  } catch (error) {
    if (!(error instanceof NotATaskSet)) throw error;
    const message = `${key} of the ConfigMap ${name} is no task set: ${error.message}; correct it there`;
    return { blocker: { reason: Reason.NotATaskSet, message } };
  }
}

/** Tasks from outside the registry: their artifact, and whether it is already stored. */
async function toStore(set: TaskSet, repository: string, namespace: string, services: Services): Promise<TasksState> {
  const digest = await artifactDigest(taskSetArtifact(set, repository));
  const reference = { repository, digest };
  try {
    await services.registry(namespace, repository, ["pull"]).manifest(repository, digest);
    return { set, reference, stored: true };
  } catch (error) {
    if (error instanceof ArtifactMissing) return { set, reference, stored: false };
    return unavailable(error as Error);
  }
}

async function inRegistry({ repository, digest }: ArtifactReference, asked: AskedTasks, services: Services): Promise<TasksState> {
  const { namespace, field, again } = asked;
  const foreign = foreignRepository(repository, namespace);
  if (foreign) return { blocker: foreign };
  const name = `${repository}@${digest}`;
  const unreadable = (why: string): TasksState => ({
    blocker: { reason: Reason.NotATaskSet, message: `${name} is no task set: ${why}; correct ${field} in ${again}` },
  });
  try {
    const registry = services.registry(namespace, repository, ["pull"]);
    const { manifest } = await registry.manifest(repository, digest);
    if (manifest.artifactType !== mediaType.taskSet) return unreadable(`its artifactType is ${manifest.artifactType ?? "unset"}`);
    const layer = layerOf(manifest, taskSetFile);
    if (!layer) return unreadable(`it has no ${taskSetFile}`);
    const set = await registry.json(repository, layer, taskSet, largestTaskSet);
    return { set, reference: { repository, digest }, stored: true };
  } catch (error) {
    if (error instanceof ArtifactMissing) {
      const message = `the registry has no ${name}; push the task set, or correct ${field} in ${again}`;
      return { blocker: { reason: Reason.TaskSetMissing, message } };
    }
    if (error instanceof ZodError) return unreadable(prettifyError(error));
    if (error instanceof DigestMismatch) return unreadable(error.message);
    return unavailable(error as Error);
  }
}

const unavailable = ({ message }: Error): TasksState => ({
  blocker: { reason: Reason.RegistryUnavailable, message: `the task set can't be read: ${message}`, retrySeconds },
});

/** Identifies the tasks measured on, by which measurements are compared: the whole set, a part, or a seeded sample. */
export function measuredOn(
  { taskSet: { part }, seed }: { taskSet: AskedTasks["reference"]; seed: number },
  { set, reference }: { set: TaskSet; reference: ArtifactReference },
  tasks: readonly HeldOutTask[],
): MeasuredTasks & Required<Pick<MeasuredTasks, "repository" | "clusters">> {
  const scope = sharedScope(set.tasks.map((task) => task.scope ?? {}));
  return {
    ...reference,
    ...(part !== "All" && { part }),
    tasks: tasks.length,
    clusters: new Set(tasks.map(clusterOf)).size,
    ...(tasks.length < chosenTasks(set, { part, seed }).length && { seed }),
    ...(scope.project && { scope }),
  };
}
