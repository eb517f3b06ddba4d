import { createHash } from "node:crypto";
import { mediaType } from "@rune/crds/contracts/artifact";
import { clusterOf, type HeldOutTask, type TaskSet } from "@rune/crds/contracts/task-set";
import { type Part, partBelow } from "@rune/crds/fields/task-set";
import { canonicalJSON } from "../registry/digest.ts";
import type { Push } from "../registry/registry.ts";
import { seeded, shuffled } from "../statistics/random.ts";

/** Name of the only file of a task set artifact. */
export const taskSetFile = "tasks.json";

/** The artifact of a task set. Equal tasks have an equal digest. */
export const taskSetArtifact = (set: TaskSet, repository: string): Push => ({
  repository,
  artifactType: mediaType.taskSet,
  config: {},
  configMediaType: mediaType.empty,
  files: [{ title: taskSetFile, mediaType: mediaType.taskSet, bytes: canonicalJSON(set) }],
});

/**
 * The part that a task belongs to: SHA-256 over the UTF-8 of its cluster, or of its id where it has none, as a big-endian number, modulo
 * 100, against `partBelow`.
 */
export function partOf({ id, cluster }: Pick<HeldOutTask, "id" | "cluster">): Exclude<Part, "All"> {
  const digest = createHash("sha256")
    .update(cluster ?? id, "utf8")
    .digest("hex");
  const percent = Number(BigInt(`0x${digest}`) % 100n);
  if (percent < partBelow.Train) return "Train";
  return percent < partBelow.Validation ? "Validation" : "Test";
}

/** The tasks of a part, in an order that depends on the seed but not on the set's; at most `maxTasks`. */
export function chosenTasks(
  set: Pick<TaskSet, "tasks">,
  { part, maxTasks, seed }: { part: Part; maxTasks?: number | undefined; seed: number },
): HeldOutTask[] {
  const members = set.tasks.filter((task) => part === "All" || partOf(task) === part);
  const byID = members.toSorted((a, b) => (a.id < b.id ? -1 : 1));
  return shuffled(byID, seeded(seed, "tasks")).slice(0, maxTasks);
}

/**
 * The tasks up to a look, the first of `of`: those of the first `number / of` of the clusters, rounded up, in the order
 * in which they occur in `tasks`. A cluster is never divided between looks.
 */
export function tasksUpToLook(tasks: readonly HeldOutTask[], { number, of }: { number: number; of: number }): HeldOutTask[] {
  const clusters = [...new Set(tasks.map(clusterOf))];
  const reached = new Set(clusters.slice(0, Math.ceil((clusters.length * number) / of)));
  return tasks.filter((task) => reached.has(clusterOf(task)));
}
