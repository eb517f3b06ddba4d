import type { Adapter } from "@rune/crds/kinds/adapter";
import { mostTrajectories, type TrainingRun } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import { getCondition, isTrue, type Outcome, progressing, waiting } from "kopf-ts";
import { Reason } from "../shared/reasons.ts";
import { failureOf } from "../shared/time-to-live.ts";
import { evaluationsSpent, hoursSpent, spentOf } from "./budget.ts";
import { learnsAnew } from "./children.ts";
import { runOf } from "./manifests.ts";
import { GenerationReason } from "./reasons.ts";
import { tierOf } from "./tier.ts";
import { eachOnce } from "./training-data.ts";
import { type Child, isUnavailable, type TrainingData, type World } from "./world.ts";

const retrySeconds = 30;
/** A run's Adapter is created before the run succeeds, but may be observed a little later. */
const longestGapSeconds = 60;

/** Makes the children by TrainingRuns. A failed run fails its child, not the generation. */
export function breed(world: World, now: Date): Outcome {
  const { generation, learnt, server } = world;
  const { name } = generation.spec.serverRef;
  if (!server)
    return waiting(GenerationReason.ServerMissing, `the ModelServer ${name} of spec.serverRef is gone; create it again`, retrySeconds);
  const before = generation.status?.children ?? [];
  const children = before.map((child) => next(child, world, now));
  if (JSON.stringify(children) !== JSON.stringify(before)) return changed(world, before, children);
  const planned = before.filter(({ state }) => state === "Planned");
  const underWay = before.filter(({ state }) => state === "Training").length;
  // A child that can't be measured isn't made.
  const spent = planned.length > 0 ? (hoursSpent(generation) ?? evaluationsSpent(generation)) : null;
  if (spent) return withoutBudget(world, spent);
  const free = Math.max(0, generation.spec.training.runsAtOnce - underWay);
  const due = planned.slice(0, free);
  if (isUnavailable(learnt) && due.some(learnsAnew))
    return waiting(Reason.RegistryUnavailable, `what the parents have learnt from can't be read: ${learnt.unavailable}`, retrySeconds);
  const unmade = due.find((child) => learnsAnew(child) && unionOf(child, world).artifacts.length === 0);
  if (unmade)
    return changed(
      world,
      before,
      before.map((child) => (child === unmade ? { ...child, ...nothingLearnt } : child)),
    );
  const message = `${before.filter(({ state }) => state !== "Planned" && state !== "Training").length} of ${before.length} children are made`;
  return waiting(GenerationReason.Breeding, message, retrySeconds).creating(...due.flatMap((child) => manifestOf(child, world)));
}

const nothingLearnt = {
  state: "Failed" as const,
  why: "no parent says what it has learnt from, so nothing can be learnt again; import adapters with their corpus.json",
};

function changed({ generation }: World, before: readonly Child[], children: readonly Child[]): Outcome {
  const news = children.filter(
    (child, index) => child.state !== before[index]?.state && (child.state === "Born" || child.state === "Failed"),
  );
  const words = news.map((child) => `${child.run} ${child.state === "Born" ? `is ${child.adapter}` : `failed: ${child.why}`}`).join("; ");
  const outcome = progressing(GenerationReason.Breeding, words || "children are being made", {
    children,
    spent: spentOf(generation, { children }),
  });
  return news
    .reduce((said, child) => said.event("Normal", child.state === "Born" ? "ChildBorn" : "ChildFailed", storyOf(child)), outcome)
    .atOnce();
}

const storyOf = ({ run, kind, parents, adapter, why }: Child) =>
  `${adapter ?? run}: ${kind} of ${parents.join(", ")}${why ? `; ${why}` : ""}`;

function withoutBudget({ generation }: World, spent: string): Outcome {
  const children = generation.status?.children?.map((child) =>
    child.state === "Planned" ? { ...child, state: "Failed", why: `it wasn't made: ${spent}` } : child,
  );
  return progressing(GenerationReason.Breeding, spent, { children, exhausted: spent }).atOnce();
}

/** A child's current state. */
function next(child: Child, world: World, now: Date): Child {
  if (child.state !== "Planned" && child.state !== "Training") return child;
  const run = world.runs.get(child.run);
  if (!run) return child.state === "Planned" ? child : failed(child, "its TrainingRun was deleted");
  const seen: Child = { ...child, state: "Training", runUID: run.metadata.uid };
  const ended = failureOf(run);
  // Those of its first run are in status already where it is made again.
  const gpuSeconds = (child.gpuSeconds ?? 0) + gpuSecondsOf(run);
  if (ended?.reason === nothingToSearchBy && child.kind === "Merge" && !child.equalWeights)
    return { ...withEqualWeights(seen, ended.message), gpuSeconds };
  if (ended) return { ...failed(seen, `${ended.reason}: ${ended.message}`), gpuSeconds };
  if (isTrue(run, ConditionType.Succeeded)) {
    const made = born(seen, run, world, now);
    return made === seen ? seen : { ...made, gpuSeconds };
  }
  const why = run.status?.attempts ? undefined : whyNeverStarted(child, run, world);
  return why ? failed(seen, why) : seen;
}

/** Why a child's run, which has no deadline before its first attempt, would wait forever; undefined if it may start. */
function whyNeverStarted(child: Child, { status }: TrainingRun, { generation, adapters, generatorRun }: World): string | undefined {
  const needed = child.like ? [...child.parents, child.like] : child.parents;
  const gone = needed.find((name) => !adapters.has(name));
  if (gone) return `${gone}, which it is made from, was deleted`;
  if (status?.inputs) return undefined;
  const generator = child.kind === "Generate" ? generation.spec.variation.generate?.hypernetwork.run : undefined;
  if (generator && !generatorRun) return `the TrainingRun ${generator}, which trains its hypernetwork, doesn't exist`;
  const untrained = generator && generatorRun ? failureOf(generatorRun) : undefined;
  if (untrained) return `the TrainingRun ${generator} trains no hypernetwork for it: ${untrained.reason}: ${untrained.message}`;
  // What is trained again needs its parents' trajectories, not their weights.
  const refused = learnsAnew(child) ? undefined : needed.find((name) => failureOf(adapters.get(name) ?? {}));
  return refused && `${refused}, which it is made from, is refused: ${failureOf(adapters.get(refused) ?? {})?.message}`;
}

/** The trainer's reason when its search finds no solved Validation task: most sessions learn from Train alone. */
const nothingToSearchBy = "NoValidationTasks";

/** Plans a second run under another name; the failed one is kept for inspection. */
function withEqualWeights({ runUID: _, ...child }: Child, why: string): Child {
  const run = child.run.replace(/-c([0-9]+)$/, "-e$1");
  return { ...child, run, equalWeights: true, state: "Planned", why: `made again with equal weights: ${why}`.slice(0, 500) };
}

const failed = (child: Child, why: string): Child => ({ ...child, state: "Failed", why: why.slice(0, 500) });

/** The same object while its Adapter is waited for. */
function born(child: Child, run: TrainingRun, { adapters, server }: World, now: Date): Child {
  const name = run.status?.adapter;
  const adapter = name ? adapters.get(name) : undefined;
  if (!name || !adapter) {
    const since = Date.parse(getCondition(run, ConditionType.Succeeded)?.lastTransitionTime ?? "");
    return now.getTime() - since < longestGapSeconds * 1000 ? child : failed(child, `its Adapter ${name ?? ""} was deleted`);
  }
  if (isTrue(adapter, ConditionType.Stalled))
    return failed(child, `its Adapter ${name} is refused: ${getCondition(adapter, ConditionType.Stalled)?.message}`);
  if (!isTrue(adapter, ConditionType.Ready)) return child;
  const most = server?.spec.adapters.maxRank ?? Number.POSITIVE_INFINITY;
  if (adapter.spec.rank > most) return failed(child, `it has rank ${adapter.spec.rank}, and ${server?.metadata.name} takes ${most}`);
  return { ...child, state: "Born", adapter: name, ...artifactOf(adapter), ...weightsOf(run) };
}

const artifactOf = ({ spec: { artifact } }: Adapter) => ({ digest: artifact.digest, repository: artifact.repository });
const weightsOf = ({ status }: TrainingRun) => (status?.result?.metrics?.weights ? { weights: status.result.metrics.weights } : {});

function gpuSecondsOf({ spec, status }: TrainingRun): number {
  const seconds = (status?.attempts ?? []).reduce((sum, { startTime, endTime }) => {
    const lasted = startTime && endTime ? (Date.parse(endTime) - Date.parse(startTime)) / 1000 : 0;
    return sum + Math.max(0, lasted);
  }, 0);
  return Math.round(seconds * (spec.resources.gpus ?? 0));
}

/** Artifacts that all parents have learnt from, each once, with the settings of the best parent that has settings. */
function unionOf({ parents }: Child, { learnt }: World): TrainingData {
  if (isUnavailable(learnt)) return { artifacts: [] };
  const all = parents.flatMap((name) => learnt.get(name) ?? []);
  const artifacts = eachOnce(all.flatMap((each) => each.artifacts));
  const { sft, include } = all.find((each) => each.sft) ?? {};
  return { artifacts: artifacts.toSorted((a, b) => (a.digest < b.digest ? -1 : 1)).slice(0, mostTrajectories), sft, include };
}

/** Where an adapter's training settings are unknown, a new one of its shape is at least as large. */
const shapeOf = (adapter: Adapter | undefined): TrainingData["sft"] =>
  adapter && { rank: adapter.spec.rank, alpha: adapter.spec.alpha, targetModules: adapter.spec.targetModules };

function manifestOf(child: Child, world: World) {
  const { generation, server } = world;
  if (!server) return [];
  const parents = child.parents.flatMap((name) => world.adapters.get(name) ?? []);
  const rank = parents.reduce((sum, { spec }) => sum + spec.rank, 0);
  const scopes = (generation.status?.members ?? []).filter(({ name }) => child.parents.includes(name)).map(({ scope }) => scope);
  const [best] = parents;
  const union = learnsAnew(child) ? unionOf(child, world) : undefined;
  const learnt = union && { ...union, sft: union.sft ?? shapeOf(best) };
  return [runOf(generation, child, { server, place: tierOf(scopes), rank, learnt })];
}
