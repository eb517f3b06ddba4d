import { PodFailure } from "@rune/clients/pod";
import type { Registry } from "@rune/clients/registry";
import { largestTaskSet, titleOf } from "@rune/clients/registry";
import { taskSetFile } from "@rune/clients/task-set";
import { mediaType, type TaskSet, taskSet } from "@rune/crds/artifact";
import { type EvaluatorJob, exit } from "@rune/crds/job-spec";
import { z } from "zod";

type Reference = Pick<EvaluatorJob["taskSet"], "repository" | "digest">;

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
  const layer = manifest.layers.find((candidate) => titleOf(candidate) === taskSetFile);
  if (!layer) throw refuse(`it has no ${taskSetFile}`);
  return await registry.json(repository, layer, taskSet, largestTaskSet).catch((error: unknown) => {
    throw error instanceof z.ZodError ? refuse(z.prettifyError(error)) : error;
  });
}
