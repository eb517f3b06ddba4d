import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { statusBase } from "../fields/condition.ts";
import { byKey, digest, objectName, text, time, whole } from "../fields/field.ts";
import { interval, measuredTasks } from "../fields/measurement.ts";
import { scope } from "../fields/scope.ts";

/*
 * Status of an EvolutionGeneration: every decision with its numbers, in bounded lists.
 */

/** Members of one generation: each has an entry in its status. */
export const mostMembers = 64;
/** Parents of one generation: the limit of one merge. */
export const mostParents = 16;
/**
 * Eight merged, a generated one, and a scaled parent for each of these once it is a candidate; the mean and the union.
 */
const mostChildren = 20;
/** Evaluations of one generation. */
const mostMeasurements = 200;
/** Promotion, retirements, and an archival for each member and child. */
export const mostDecisions = 108;
export const adapterName = () => objectName(52);
/** Champions of one scope beside the first. */
export const mostChampions = 16;
const points = () => text(20);

/** What generations have spent. */
export const spent = z.object({
  evaluations: whole(0, 1000000).describe("Evaluations that were created."),
  gpuSeconds: whole(0, Number.MAX_SAFE_INTEGER).describe("Seconds of the attempts of TrainingRuns, times their GPUs."),
});

/** The best adapter on some tasks. */
export const best = z.object({
  adapter: adapterName().describe("Adapter with the best lower bound."),
  taskSet: measuredTasks.describe("What it was measured on."),
  passAt1: interval.describe("Its Pass@1 there."),
});

const member = z.object({
  name: adapterName().describe("Name of the Adapter."),
  digest: digest().describe("Manifest digest of its weights."),
  repository: artifactReference.shape.repository,
  scope,
  champion: z.literal(true).optional().describe("Champion of its scope when the generation began."),
  passAt1: interval.optional().describe("Pass@1 on the fitness tasks."),
  evaluationUID: text(64).optional().describe("UID of the evaluation that measured it."),
  tasksWon: whole(0, 100000).optional().describe("Tasks that it solves better than the base and all other members."),
  parent: z.literal(true).optional().describe("Selected as a parent."),
  belowBase: whole(1, 100).optional().describe("Generations in a row that its upper bound has been below the base's."),
  leftOut: text(500).optional().describe("Why it can't be a parent."),
});

/** How a child is made. */
const childKinds = ["Merge", "Generate", "Mean", "UnionRetrain", "ScaledParent"] as const;

const child = z.object({
  run: objectName(45).describe("TrainingRun that makes it."),
  runUID: text(64).optional().describe("UID of that run."),
  kind: z.enum(childKinds).describe("How it is made. All but Merge and Generate are there to be beaten."),
  parents: z.array(adapterName()).min(1).max(mostParents).describe("Adapters that begot it."),
  like: adapterName().optional().describe("Child whose strength a scaled parent has."),
  equalWeights: z.literal(true).optional().describe("Made again with equal weights, because a search had nothing to measure by."),
  weights: text(400).optional().describe("Weights that a search gave the parents, in their order."),
  adapter: adapterName().optional().describe("The Adapter."),
  digest: digest().optional().describe("Manifest digest of its weights."),
  repository: artifactReference.shape.repository.optional(),
  passAt1: interval.optional().describe("Pass@1 on the fitness tasks."),
  evaluationUID: text(64).optional().describe("UID of the evaluation that measured it."),
  gpuSeconds: whole(0, Number.MAX_SAFE_INTEGER).optional().describe("Seconds of the run's attempts, times its GPUs."),
  state: z
    .enum(["Planned", "Training", "Born", "Measured", "Kept", "Dropped", "Failed"])
    .describe(
      "How far it is. Kept: in the population from now on. Dropped: archived, because it is nothing new. Failed: it could not be made or measured.",
    ),
  why: text(500).optional().describe("Why it came to that."),
});

export const status = z.object({
  ...statusBase,
  startTime: time().optional().describe("When the population was frozen."),
  taskSet: measuredTasks.optional().describe("The tasks that select, frozen at the start."),
  promotionTaskSet: measuredTasks.optional().describe("The tasks that decide, frozen at the start."),
  base: interval.optional().describe("Pass@1 of the base on the fitness tasks."),
  memberCount: whole(0, mostMembers).optional().describe("Members."),
  members: z.array(member).max(mostMembers).meta(byKey("name")).optional().describe("The population, frozen at the start."),
  omitted: z
    .object({
      count: whole(1, 1000000).describe("How many."),
      names: z.array(adapterName()).max(50).describe("The first fifty."),
    })
    .optional()
    .describe("Adapters that match and were no longer among the best spec.population.maximum."),
  evaluations: z
    .array(
      z.object({
        name: objectName(45).describe("Name of the Evaluation."),
        uid: text(64).optional().describe("Its UID."),
        purpose: z.enum(["Members", "Children", "Promotion"]).describe("What it is for."),
        adapters: z.array(adapterName()).max(7).describe("Adapters that it measures, beside the base."),
        state: z.enum(["Planned", "Running", "Measured", "Failed"]).describe("How far it is."),
        message: text(500).optional().describe("Why it failed."),
      }),
    )
    .max(mostMeasurements)
    .meta(byKey("name"))
    .optional()
    .describe("Evaluations of this generation. One that failed is followed by one for each half of its adapters."),
  selection: z
    .object({
      draws: z
        .array(
          z.object({
            kind: z.enum(["Tournament", "TaskWinners"]).describe("How the winner was found."),
            contestants: z.array(adapterName()).max(mostMembers).describe("Who was drawn, or could be."),
            winner: adapterName().describe("The parent."),
            why: text(300).describe("Its numbers."),
          }),
        )
        .max(mostParents)
        .describe("The draws, in their order."),
      parents: z.array(adapterName()).max(mostParents).describe("The parents, best lower bound first."),
    })
    .optional()
    .describe("How the parents were selected."),
  children: z.array(child).max(mostChildren).meta(byKey("run")).optional().describe("Who was begotten by whom, and what became of it."),
  promotion: z
    .object({
      candidate: adapterName().optional().describe("Child that was put to the test."),
      tier: z.enum(["Task", "Domain", "ProjectRoot"]).optional().describe("Tier that it would have."),
      scope: scope.optional().describe("Scope that it would be the champion of."),
      bestParent: adapterName().optional().describe("Parent with the best lower bound."),
      incumbent: adapterName().optional().describe("Champion of that scope."),
      alsoChampions: z
        .array(adapterName())
        .max(mostChampions)
        .optional()
        .describe(
          "Further champions of that scope, where several chains made one at the same time; the one that wins takes the place of all.",
        ),
      leftOut: text(300).optional().describe("Why that champion isn't measured beside the candidate."),
      baseline: adapterName()
        .optional()
        .describe("Which of the two it was compared with by the gate: the better one on the fitness tasks."),
      confidence: text(20).optional().describe("Confidence of the gate's interval."),
      inflationPoints: points()
        .optional()
        .describe("Points by which the best of so many equally good children is expected to look better than it is on the fitness tasks."),
      shuffled: z
        .boolean()
        .optional()
        .describe("Whether an arm gives each promotion task another task's adapter: the population has several adapters for them."),
      evaluation: objectName(45).optional().describe("Evaluation that decided."),
      delta: interval.optional().describe("Gain over the baseline in points on the promotion tasks, with its 95 % interval."),
      rivals: z
        .array(
          z.object({
            adapter: adapterName().describe("Whom it must beat as well."),
            role: z.enum(["BestParent", "Incumbent", "Mean", "UnionRetrain", "ScaledParent"]).describe("What that is."),
            delta: interval.describe("That one's gain over the same baseline, in points."),
          }),
        )
        .max(5)
        .meta(byKey("role"))
        .optional()
        .describe("What else was measured beside it."),
      outcome: z.enum(["Promoted", "NotPromoted"]).optional().describe("What was decided."),
      why: text(1000).optional().describe("Why."),
    })
    .optional()
    .describe("Whether a child becomes a champion."),
  decisions: z
    .array(
      z.object({
        kind: z.enum(["Promotion", "Retirement", "Archival"]).describe("What was decided."),
        adapter: adapterName().describe("About whom."),
        digest: digest().describe("Manifest digest of its weights."),
        repository: artifactReference.shape.repository,
        time: time().describe("When."),
        why: text(500).describe("Why."),
        recorded: z.boolean().describe("Whether the registry holds it; it counts from then on."),
        recordedTime: time().optional().describe("When that was seen; adapters that it is about read again what is decided of them."),
        refused: text(300).optional().describe("Why it can't ever be stored; it isn't in force."),
      }),
    )
    .max(mostDecisions)
    .meta(byKey("kind", "adapter"))
    .optional()
    .describe("What is said of adapters, each a manifest in the registry."),
  spared: z
    .array(z.object({ name: adapterName().describe("Member."), why: text(300).describe("Why.") }))
    .max(mostMembers)
    .meta(byKey("name"))
    .optional()
    .describe("Members that would have been archived, and why they weren't."),
  pruned: z.boolean().optional().describe("Whether it is decided who is archived."),
  promoted: adapterName().optional().describe("The new champion."),
  retired: adapterName().optional().describe("The champion before."),
  archived: whole(0, mostDecisions).optional().describe("Adapters that were archived."),
  hypernetwork: z
    .object({
      pairs: whole(0, 1000000).describe("Solved sessions that it has learnt from, or learns from now."),
      run: objectName(45).optional().describe("TrainingRun that this generation began, by which the next one generates."),
    })
    .optional()
    .describe("The hypernetwork that generates children, where it is trained again."),
  best: best.optional().describe("The best adapter of this generation and of those before."),
  withoutImprovement: whole(0, 100).optional().describe("Generations in a row that brought no better one."),
  spent: spent.optional().describe("What all generations so far have taken."),
  exhausted: text(200).optional().describe("What the budget didn't pay for any more."),
  paused: z.boolean().optional().describe("Whether its runs and evaluations were suspended with it."),
  mlflowRunID: text(64).optional().describe("Run in the experiment tracker."),
  tracking: z
    .object({
      tries: whole(0, 3).describe("How often the experiment tracker was told."),
      why: text(300).optional().describe("Why it has no run of this generation."),
    })
    .optional()
    .describe("Whether the experiment tracker knows; a generation ends without it."),
  next: objectName(45).optional().describe("The next generation."),
});
