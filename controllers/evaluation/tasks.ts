import { ArtifactMissing, artifactDigest, DigestMismatch, largestTaskSet, titleOf } from "@rune/clients/registry";
import { taskSetArtifact, taskSetFile } from "@rune/clients/task-set";
import { NotATaskSet, parseTaskSet } from "@rune/clients/task-set-text";
import { mediaType, type TaskSet, taskSet } from "@rune/crds/artifact";
import type { ArtifactReference } from "@rune/crds/common";
import type { Evaluation } from "@rune/crds/evaluation";
import { type Cache, configMaps } from "kopf-ts";
import { prettifyError, ZodError } from "zod";
import type { Blocker } from "../check.ts";
import type { Services } from "../context.ts";
import { bundledRepository, repositoryOf } from "../names.ts";
import { Reason } from "../reasons.ts";
import { foreignRepository } from "../tenancy.ts";
import { EvaluationReason } from "./reasons.ts";

const retrySeconds = 10;

/** The tasks, and the artifact that they are, which isn't stored yet where they come from elsewhere; or why they can't be had. */
export type TasksState = { set: TaskSet; reference: ArtifactReference; stored: boolean } | { blocker: Blocker };

/** Reads what `spec.taskSet` names, or what was frozen of it. */
export async function observeTasks({ metadata, spec, status }: Evaluation, cache: Cache, services: Services): Promise<TasksState> {
  const { namespace } = metadata;
  const { repository, digest, configMap, bundled } = spec.taskSet;
  const frozen = status?.taskSet;
  if (frozen?.repository) return await inRegistry({ repository: frozen.repository, digest: frozen.digest }, namespace, services);
  if (configMap) {
    const found = cache(configMaps).get({ namespace, name: configMap.name });
    const set = inConfigMap(configMap, found?.data, found !== undefined);
    return "blocker" in set ? set : await toStore(set.set, repositoryOf.tasks(namespace), namespace, services);
  }
  if (bundled) {
    const set = await services.bundledTaskSet(bundled);
    if (set) return await toStore(set, bundledRepository(bundled), namespace, services);
    const message = `this build of the operator comes without ${bundled}; build its image by \`npm run cluster -- images\`, or name a task set of your own`;
    return { blocker: { reason: EvaluationReason.TaskSetMissing, message } };
  }
  return await inRegistry({ repository: repository ?? "", digest: digest ?? "" }, namespace, services);
}

function inConfigMap(
  { name, key }: { name: string; key: string },
  data: Readonly<Record<string, string>> | undefined,
  exists: boolean,
): { set: TaskSet } | { blocker: Blocker } {
  const text = data?.[key];
  if (text === undefined) {
    const keys = Object.keys(data ?? {});
    const has = keys.length > 0 ? `; it has ${keys.slice(0, 5).join(", ")}` : "";
    const message = exists
      ? `the ConfigMap ${name} of spec.taskSet has no entry ${key}${has}; add it, or name another key in a new evaluation`
      : `waits for the ConfigMap ${name} of spec.taskSet, which doesn't exist; create it, or correct spec.taskSet in a new evaluation`;
    return { blocker: { reason: EvaluationReason.TaskSetMissing, message, retrySeconds } };
  }
  try {
    return { set: parseTaskSet(text) };
  } catch (error) {
    if (!(error instanceof NotATaskSet)) throw error;
    const message = `${key} of the ConfigMap ${name} is no task set: ${error.message}; correct it there`;
    return { blocker: { reason: EvaluationReason.NotATaskSet, message } };
  }
}

/** Tasks that aren't in the registry by themselves: where they belong, and whether they are there already. */
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

async function inRegistry({ repository, digest }: ArtifactReference, namespace: string, services: Services): Promise<TasksState> {
  const foreign = foreignRepository(repository, namespace);
  if (foreign) return { blocker: foreign };
  const name = `${repository}@${digest}`;
  const unreadable = (why: string): TasksState => ({
    blocker: { reason: EvaluationReason.NotATaskSet, message: `${name} is no task set: ${why}; correct spec.taskSet in a new evaluation` },
  });
  try {
    const registry = services.registry(namespace, repository, ["pull"]);
    const { manifest } = await registry.manifest(repository, digest);
    if (manifest.artifactType !== mediaType.taskSet) return unreadable(`its artifactType is ${manifest.artifactType ?? "unset"}`);
    const layer = manifest.layers.find((candidate) => titleOf(candidate) === taskSetFile);
    if (!layer) return unreadable(`it has no ${taskSetFile}`);
    const set = await registry.json(repository, layer, taskSet, largestTaskSet);
    return { set, reference: { repository, digest }, stored: true };
  } catch (error) {
    if (error instanceof ArtifactMissing) {
      const message = `the registry has no ${name}; push the task set, or correct spec.taskSet in a new evaluation`;
      return { blocker: { reason: EvaluationReason.TaskSetMissing, message } };
    }
    if (error instanceof ZodError) return unreadable(prettifyError(error));
    if (error instanceof DigestMismatch) return unreadable(error.message);
    return unavailable(error as Error);
  }
}

const unavailable = ({ message }: Error): TasksState => ({
  blocker: { reason: Reason.RegistryUnavailable, message: `the task set can't be read: ${message}`, retrySeconds },
});
