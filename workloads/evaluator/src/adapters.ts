import { parseJSON } from "@rune/clients/http/json";
import { PodFailure } from "@rune/clients/pod/pod";
import { largestTaskSet, layerOf, type Registry } from "@rune/clients/registry/registry";
import { learntHash } from "@rune/clients/tasks/learnt";
import { type LearntFrom, learntFile, learntFrom, trainingAnnotation } from "@rune/crds/contracts/artifact";
import type { EvaluatorJob } from "@rune/crds/contracts/evaluator";
import { exit } from "@rune/crds/contracts/pod";
import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import { z } from "zod";
import { forEachLimited } from "./concurrency.ts";

/** How an adapter was made, according to its artifact. */
export type AdapterFacts = {
  /** whether the artifact names its training data; those that were imported don't */
  known: boolean;
  /** ids of tasks of the set that it was trained on, in the set's order */
  seen: readonly string[];
  /** the trainer's statistics, such as `trainingLoss` */
  training: Readonly<Record<string, number>>;
};
/** By manifest digest. */
export type Facts = ReadonlyMap<string, AdapterFacts>;
type Pulled = Pick<Registry, "manifest" | "json">;

const pulledAtOnce = 8;

/**
 * Reads from every adapter of every arm, once each, what it was trained on. Throws PodFailure for an unreadable one.
 */
export async function pullFacts(registry: Pulled, { arms }: Pick<EvaluatorJob, "arms">, tasks: readonly HeldOutTask[]): Promise<Facts> {
  const hashed = tasks.map(({ id, description, tests }) => ({ id, hashes: [learntHash(description), learntHash(tests)] as const }));
  const adapters = new Map(arms.flatMap(({ adapters }) => adapters).map((adapter) => [adapter.digest, adapter]));
  const facts = new Map<string, AdapterFacts>();
  await forEachLimited([...adapters.values()], pulledAtOnce, async ({ name, repository, digest }) => {
    const { manifest } = await registry.manifest(repository, digest);
    const layer = layerOf(manifest, learntFile);
    const learnt = layer && (await registry.json(repository, layer, learntFrom, largestTaskSet).catch(unreadable(name)));
    facts.set(digest, {
      known: learnt !== undefined,
      seen: learnt ? seenBy(learnt, hashed) : [],
      training: trainingOf(manifest.annotations ?? {}),
    });
  });
  return facts;
}

/** A task counts as seen, under whatever id, if its prompt or its tests were. */
function seenBy({ tasks }: LearntFrom, hashed: readonly { id: string; hashes: readonly [string, string] }[]): string[] {
  const descriptions = new Set(tasks.map(({ description }) => description));
  const tests = new Set(tasks.map((task) => task.tests));
  return hashed.filter(({ hashes: [description, test] }) => descriptions.has(description) || tests.has(test)).map(({ id }) => id);
}

/** Each is JSON: a number, or numbers by name. */
function trainingOf(annotations: Readonly<Record<string, string>>): Record<string, number> {
  const told = Object.entries(annotations).flatMap(([key, value]) => {
    if (!key.startsWith(trainingAnnotation)) return [];
    const parsed = parseJSON(Buffer.from(value));
    return typeof parsed === "object" && parsed !== null
      ? Object.entries(parsed)
      : [[key.slice(trainingAnnotation.length), parsed] as const];
  });
  return Object.fromEntries(told.flatMap(([name, value]) => (typeof value === "number" && Number.isFinite(value) ? [[name, value]] : [])));
}

function unreadable(adapter: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof z.ZodError)) throw error;
    throw new PodFailure(
      exit.badInput,
      "LearntUnreadable",
      `${learntFile} of adapter ${adapter} can't be read: ${z.prettifyError(error)}; publish the adapter again`,
    );
  };
}
