import { parseJSON } from "@rune/clients/http/json";
import { PodFailure } from "@rune/clients/pod/pod";
import { attemptsOf } from "@rune/clients/prompts/trajectory-text";
import { largestTaskSet, layerOf, type Registry } from "@rune/clients/registry/registry";
import { mediaType } from "@rune/crds/contracts/artifact";
import { exit } from "@rune/crds/contracts/pod";
import { corpusLine, type Trajectory, trajectory } from "@rune/crds/contracts/trajectory";
import { z } from "zod";
import type { Arm } from "./arms.ts";
import type { Experience } from "./context.ts";

export type Pulled = Pick<Registry, "manifest" | "json" | "blob">;
type Reference = NonNullable<Arm["context"]>["artifacts"][number];

/** The sessions of an arm's context, in the order of their artifacts' digests; none without a context. */
export async function loadExperience(registry: Pulled, { context }: Arm): Promise<Experience[]> {
  const ordered = (context?.artifacts ?? []).toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
  const experiences: Experience[] = [];
  for (const artifact of ordered) experiences.push(...(await trajectoriesIn(registry, artifact)).map(experienceOf));
  return experiences;
}

/** The trajectories of an artifact: one, or a corpus of many. */
export async function trajectoriesIn(registry: Pulled, reference: Reference): Promise<Trajectory[]> {
  const { repository, digest } = reference;
  const { manifest } = await registry.manifest(repository, digest);
  const single = manifest.artifactType === mediaType.trajectory;
  if (!single && manifest.artifactType !== mediaType.corpus)
    throw refused(reference, `its artifactType is ${manifest.artifactType ?? "unset"}`);
  const file = single ? "trajectory.json" : "corpus.jsonl";
  const layer = layerOf(manifest, file);
  if (!layer) throw refused(reference, `it has no ${file}`);
  try {
    if (single) return [await registry.json(repository, layer, trajectory, largestTaskSet)];
    return linesOf(await registry.blob(repository, layer.digest, { maxBytes: largestTaskSet }));
  } catch (error) {
    throw error instanceof z.ZodError ? refused(reference, z.prettifyError(error)) : error;
  }
}

function linesOf(bytes: Buffer): Trajectory[] {
  const lines = bytes
    .toString("utf8")
    .split("\n")
    .filter((line) => line.trim() !== "");
  return lines.map((line) => corpusLine.parse(parseJSON(Buffer.from(line))).trajectory);
}

/** A session's notes grow from round to round, so the last round's notes are all of them. */
function experienceOf(lived: Trajectory): Experience {
  const { task, scope, records } = lived;
  const reflected = records.flatMap((record) => (record.type === "reflected" && record.notes.length > 0 ? [record.notes] : []));
  return { description: task.description, scope, notes: reflected.at(-1) ?? [], attempts: attemptsOf(lived) };
}

function refused({ repository, digest }: Reference, why: string): PodFailure {
  return new PodFailure(
    exit.badInput,
    "NotATrajectory",
    `${repository}@${digest} is neither a trajectory nor a corpus: ${why}; name artifacts of sessions in the arm's context`,
  );
}
