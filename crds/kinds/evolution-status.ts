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
  evaluations: whole(0, 1000000).describe("Number of Evaluations that were created."),
  gpuSeconds: whole(0, Number.MAX_SAFE_INTEGER).describe(
    "GPU seconds of TrainingRuns: the duration of their attempts times their number of GPUs.",
  ),
});

/** The best adapter on some tasks. */
export const best = z.object({
  adapter: adapterName().describe("Name of the Adapter with the best lower bound of Pass@1."),
  taskSet: measuredTasks.describe("Tasks that the best adapter was measured on."),
  passAt1: interval.describe("Pass@1 of the best adapter on these tasks, with its confidence interval."),
});

const member = z.object({
  name: adapterName().describe("Name of the member Adapter."),
  digest: digest().describe("Manifest digest of the member's artifact."),
  repository: artifactReference.shape.repository,
  scope,
  champion: z.literal(true).optional().describe("True if the member was a champion when the generation began."),
  passAt1: interval.optional().describe("Pass@1 on the selection tasks (`spec.fitness.taskSet`), with its confidence interval."),
  evaluationUID: text(64).optional().describe("UID of the Evaluation that measured the member."),
  tasksWon: whole(0, 100000)
    .optional()
    .describe("Number of tasks that the member solves better than the base model and all other members."),
  parent: z.literal(true).optional().describe("True if the member was selected as a parent."),
  belowBase: whole(1, 100)
    .optional()
    .describe("Number of consecutive generations that the member's upper bound has been below the base model's Pass@1; unset for none."),
  leftOut: text(500).optional().describe("Why the member can't be a parent; unset if it can."),
});

/** How a child is made. */
const childKinds = ["Merge", "Generate", "Mean", "UnionRetrain", "ScaledParent"] as const;

const child = z.object({
  run: objectName(45).describe("Name of the TrainingRun that makes the child."),
  runUID: text(64).optional().describe("UID of the TrainingRun that makes the child."),
  kind: z.enum(childKinds).describe("How the child is made. Only Merge and Generate can be promoted; the others are made to compare with."),
  parents: z.array(adapterName()).min(1).max(mostParents).describe("Names of the Adapters that are the child's parents."),
  like: adapterName().optional().describe("Name of the child whose norm the parent is scaled to; only set for kind ScaledParent."),
  equalWeights: z
    .literal(true)
    .optional()
    .describe("True if the child is made again with equal weights, because the weight search found no programs to measure by."),
  weights: text(400).optional().describe("Weights that the search found for the parents, in the order of `parents`."),
  adapter: adapterName().optional().describe("Name of the child's Adapter; unset until it exists."),
  digest: digest().optional().describe("Manifest digest of the child's artifact."),
  repository: artifactReference.shape.repository.optional(),
  passAt1: interval.optional().describe("Pass@1 on the selection tasks (`spec.fitness.taskSet`), with its confidence interval."),
  evaluationUID: text(64).optional().describe("UID of the Evaluation that measured the child."),
  gpuSeconds: whole(0, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe("GPU seconds of the child's TrainingRun: the duration of its attempts times its number of GPUs."),
  state: z
    .enum(["Planned", "Training", "Born", "Measured", "Kept", "Dropped", "Failed"])
    .describe(
      "State of the child. Born: its Adapter is ready. Kept: it belongs to the population from now on. Dropped: it is archived, because it answers every task as another adapter does. Failed: it could not be made or measured.",
    ),
  why: text(500).optional().describe("Why the child is in this state."),
});

export const status = z.object({
  ...statusBase,
  startTime: time().optional().describe("Time at which the population was frozen."),
  taskSet: measuredTasks.optional().describe("Tasks that members and children are selected by, frozen at the start."),
  promotionTaskSet: measuredTasks.optional().describe("Tasks that decide on the promotion, frozen at the start."),
  base: interval
    .optional()
    .describe("Pass@1 of the base model on the selection tasks (`spec.fitness.taskSet`), with its confidence interval."),
  memberCount: whole(0, mostMembers).optional().describe("Number of members."),
  members: z.array(member).max(mostMembers).meta(byKey("name")).optional().describe("Members of the population, frozen at the start."),
  omitted: z
    .object({
      count: whole(1, 1000000).describe("Number of Adapters that were omitted."),
      names: z.array(adapterName()).max(50).describe("Names of the omitted Adapters; the first 50 if there are more."),
    })
    .optional()
    .describe("Adapters that match `spec.population` but exceed its `maximum`."),
  evaluations: z
    .array(
      z.object({
        name: objectName(45).describe("Name of the Evaluation."),
        uid: text(64).optional().describe("UID of the Evaluation; unset until it exists."),
        purpose: z
          .enum(["Members", "Children", "Promotion"])
          .describe("What the Evaluation is for: to measure members, to measure children, or to decide on the promotion."),
        adapters: z
          .array(adapterName())
          .max(7)
          .describe("Names of the Adapters that the Evaluation measures, in addition to the base model."),
        state: z.enum(["Planned", "Running", "Measured", "Failed"]).describe("State of the Evaluation."),
        message: text(500).optional().describe("Why the Evaluation failed."),
      }),
    )
    .max(mostMeasurements)
    .meta(byKey("name"))
    .optional()
    .describe(
      "Evaluations of this generation. A failed one is followed by one for each half of its Adapters, to find the one that can't be measured.",
    ),
  selection: z
    .object({
      draws: z
        .array(
          z.object({
            kind: z
              .enum(["Tournament", "TaskWinners"])
              .describe("How the winner was found: by a Tournament, or by a draw among the TaskWinners."),
            contestants: z.array(adapterName()).max(mostMembers).describe("Names of the members that took part in the draw."),
            winner: adapterName().describe("Name of the member that was selected as a parent."),
            why: text(300).describe("Numbers by which the winner was selected."),
          }),
        )
        .max(mostParents)
        .describe("Draws by which the parents were selected, in order."),
      parents: z.array(adapterName()).max(mostParents).describe("Names of the parents, the best lower bound of Pass@1 first."),
    })
    .optional()
    .describe("Selection of the parents."),
  children: z
    .array(child)
    .max(mostChildren)
    .meta(byKey("run"))
    .optional()
    .describe("Children of this generation: how each is made, its results and its state."),
  promotion: z
    .object({
      candidate: adapterName().optional().describe("Name of the child that is tested; unset if none qualifies."),
      tier: z.enum(["Task", "Domain", "ProjectRoot"]).optional().describe("Tier that the candidate gets if it is promoted."),
      scope: scope.optional().describe("Scope that the candidate becomes the champion of if it is promoted."),
      bestParent: adapterName().optional().describe("Name of the candidate's parent with the best lower bound of Pass@1."),
      incumbent: adapterName().optional().describe("Name of the scope's champion when the test began; unset if there was none."),
      alsoChampions: z
        .array(adapterName())
        .max(mostChampions)
        .optional()
        .describe(
          "Names of further champions of the scope, which several chains promoted at the same time. A promotion replaces all of them.",
        ),
      leftOut: text(300).optional().describe("Why the incumbent isn't measured together with the candidate; unset if it is."),
      baseline: adapterName()
        .optional()
        .describe(
          "Name of the Adapter that the gate compares the candidate with: the best on the selection tasks among best parent, scaled parent and incumbent.",
        ),
      confidence: text(20).optional().describe("Confidence level of the gate's interval, as a decimal string."),
      inflationPoints: points()
        .optional()
        .describe(
          "Percentage points by which the best of so many equally good children is expected to look too good on the selection tasks.",
        ),
      shuffled: z
        .boolean()
        .optional()
        .describe(
          "Whether the Evaluation has a control arm that answers each promotion task with another task's adapter. It has one if the population has several adapters for these tasks.",
        ),
      evaluation: objectName(45).optional().describe("Name of the Evaluation that decides on the promotion."),
      delta: interval
        .optional()
        .describe(
          "Gain of the candidate over the baseline on the promotion tasks in percentage points, with its 95 % confidence interval.",
        ),
      rivals: z
        .array(
          z.object({
            adapter: adapterName().describe("Name of the rival Adapter."),
            role: z
              .enum(["BestParent", "Incumbent", "Mean", "UnionRetrain", "ScaledParent"])
              .describe("Role of the rival, such as the mean of the parents (Mean)."),
            delta: interval.describe(
              "Gain of the rival over the gate's baseline in percentage points, which the candidate's gain must exceed.",
            ),
            lead: interval
              .optional()
              .describe(
                "Gain of the candidate over the rival in percentage points, with bounds of the gate's confidence. Over a parent, scaled or not, and over the incumbent, the whole interval must be above the margin.",
              ),
          }),
        )
        .max(5)
        .meta(byKey("role"))
        .optional()
        .describe("Adapters other than the gate's baseline that the candidate must beat, with their results."),
      outcome: z.enum(["Promoted", "NotPromoted"]).optional().describe("Whether the candidate was promoted; unset until it is decided."),
      why: text(1000).optional().describe("Reason for the outcome, with the numbers."),
    })
    .optional()
    .describe("Test of the best child for promotion to champion."),
  decisions: z
    .array(
      z.object({
        kind: z.enum(["Promotion", "Retirement", "Archival"]).describe("Kind of the decision. A Retirement ends a championship."),
        adapter: adapterName().describe("Name of the Adapter that the decision is about."),
        digest: digest().describe("Manifest digest of the Adapter's artifact."),
        repository: artifactReference.shape.repository,
        time: time().describe("Time of the decision."),
        why: text(500).describe("Reason for the decision."),
        recorded: z.boolean().describe("Whether the decision is stored in the registry, from which time on it is in force."),
        recordedTime: time()
          .optional()
          .describe("Time at which the decision was seen in the registry. The Adapter that it is about then reads its evidence again."),
        refused: text(300).optional().describe("Why the decision can never be stored. It isn't in force."),
      }),
    )
    .max(mostDecisions)
    .meta(byKey("kind", "adapter"))
    .optional()
    .describe("Decisions about Adapters, each of which is stored as a manifest in the registry."),
  spared: z
    .array(
      z.object({ name: adapterName().describe("Name of the member Adapter."), why: text(300).describe("Why the member wasn't archived.") }),
    )
    .max(mostMembers)
    .meta(byKey("name"))
    .optional()
    .describe("Members that were due to be archived but were spared."),
  pruned: z.boolean().optional().describe("Whether it has been decided which members are archived."),
  promoted: adapterName().optional().describe("Name of the new champion; unset if none was promoted."),
  retired: adapterName().optional().describe("Name of the champion that was replaced; unset if none was."),
  archived: whole(0, mostDecisions).optional().describe("Number of adapters that were archived."),
  hypernetwork: z
    .object({
      pairs: whole(0, 1000000).describe(
        "Number of solved sessions that there were when the hypernetwork was last trained, or at the first generation's beginning.",
      ),
      run: objectName(45)
        .optional()
        .describe("Name of the TrainingRun that retrains the hypernetwork for the next generation; unset if none was started."),
    })
    .optional()
    .describe("State of the hypernetwork's retraining; only set with `spec.hypernetwork`."),
  best: best.optional().describe("Best adapter of this and all previous generations."),
  withoutImprovement: whole(0, 100).optional().describe("Number of consecutive generations, up to this one, without a better adapter."),
  spent: spent.optional().describe("Evaluations and GPU time that this and all previous generations have used."),
  exhausted: text(200).optional().describe("Which limit of `spec.budget` was reached; unset if none was."),
  paused: z.boolean().optional().describe("Whether TrainingRuns and Evaluations were suspended together with the generation."),
  mlflowRunID: text(64).optional().describe("ID of the run in the experiment tracker, MLflow."),
  tracking: z
    .object({
      tries: whole(0, 3).describe("Number of attempts to log the generation to the experiment tracker."),
      why: text(300).optional().describe("Why the experiment tracker has no run of this generation."),
    })
    .optional()
    .describe("State of logging to the experiment tracker. The generation also ends if it fails."),
  next: objectName(45).optional().describe("Name of the next generation; unset if there is none."),
});
