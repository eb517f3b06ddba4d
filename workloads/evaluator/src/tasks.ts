import { PodFailure } from "@rune/clients/pod/pod";
import type { Registry } from "@rune/clients/registry/registry";
import { largestTaskSet, layerOf } from "@rune/clients/registry/registry";
import { chosenTasks, taskSetFile } from "@rune/clients/tasks/task-set";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import { exit } from "@rune/crds/contracts/pod";
import { type HeldOutTask, type TaskSet, taskSet } from "@rune/crds/contracts/task-set";
import { z } from "zod";

type Reference = Pick<EvaluatorJob["taskSet"], "repository" | "digest">;

/** The task set with this digest. Throws PodFailure when the artifact isn't a task set, and the registry's errors. */
export async function loadTaskSet(registry: Pick<Registry, "manifest" | "json">, { repository, digest }: Reference): Promise<TaskSet> {
  const refuse = (why: string) =>
    new PodFailure(
      exit.badInput,
      "NotATaskSet",
      `${repository}@${digest} is not a task set: ${why}; push one and name its digest in spec.taskSet`,
    );
  const { manifest } = await registry.manifest(repository, digest);
  if (manifest.artifactType !== mediaType.taskSet) throw refuse(`its artifactType is ${manifest.artifactType ?? "unset"}`);
  const layer = layerOf(manifest, taskSetFile);
  if (!layer) throw refuse(`it has no ${taskSetFile}`);
  return await registry.json(repository, layer, taskSet, largestTaskSet).catch((error: unknown) => {
    throw error instanceof z.ZodError ? refuse(z.prettifyError(error)) : error;
  });
}

/** A job's tasks, in the order of its seed. Throws PodFailure when its part of the set is empty. */
export async function loadTasks(
  registry: Pick<Registry, "manifest" | "json">,
  { taskSet, seed }: Pick<EvaluatorJob, "taskSet" | "seed">,
): Promise<HeldOutTask[]> {
  const tasks = chosenTasks(await loadTaskSet(registry, taskSet), { ...taskSet, seed });
  if (tasks.length > 0) return tasks;
  throw new PodFailure(
    exit.badInput,
    "NotATaskSet",
    `no task of ${taskSet.repository}@${taskSet.digest} belongs to its part ${taskSet.part}; add tasks, or take another part`,
  );
}
