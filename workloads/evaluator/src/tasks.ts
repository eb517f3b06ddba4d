import { PodFailure } from "@rune/clients/pod";
import type { Registry } from "@rune/clients/registry";
import { largestTaskSet, titleOf } from "@rune/clients/registry";
import { type HeldOutTask, mediaType, type TaskSet, taskSet } from "@rune/crds/artifact";
import { type EvaluatorJob, exit } from "@rune/crds/job-spec";
import { z } from "zod";
import { seeded, shuffled } from "./random.ts";

type Reference = EvaluatorJob["taskSet"];
const file = "tasks.json";

/** The task set with this digest. Throws PodFailure when the artifact isn't one, and the registry's errors. */
export async function loadTaskSet(registry: Pick<Registry, "manifest" | "json">, { repository, digest }: Reference): Promise<TaskSet> {
  const refuse = (why: string) =>
    new PodFailure(
      exit.badInput,
      "NotATaskSet",
      `${repository}@${digest} is not a task set: ${why}; push one and name its digest in spec.taskSet`,
    );
  const { manifest } = await registry.manifest(repository, digest);
  if (manifest.artifactType !== mediaType.taskSet) throw refuse(`its artifactType is ${manifest.artifactType ?? "unset"}`);
  const layer = manifest.layers.find((candidate) => titleOf(candidate) === file);
  if (!layer) throw refuse(`it has no ${file}`);
  const set = await registry.json(repository, layer, taskSet, largestTaskSet).catch((error: unknown) => {
    throw error instanceof z.ZodError ? refuse(z.prettifyError(error)) : error;
  });
  const [twice] = [...Map.groupBy(set.tasks, ({ id }) => id)].find(([, tasks]) => tasks.length > 1) ?? [];
  if (twice !== undefined) throw refuse(`two tasks are called ${twice}`);
  return set;
}

/** The tasks that this evaluation works on, in the order that its seed gives them, however the set lists them. */
export function chosenTasks(set: TaskSet, { seed, taskSet: { maxTasks } }: Pick<EvaluatorJob, "seed" | "taskSet">): HeldOutTask[] {
  const byID = set.tasks.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return shuffled(byID, seeded(seed, "tasks")).slice(0, maxTasks);
}
