import { z } from "zod";
import {
  artifactReference,
  bounded,
  interval,
  measuredTasks,
  requires,
  sampling,
  sandbox,
  scope,
  statusBase,
  taskSetReference,
} from "./common.ts";
import { gate } from "./evaluation.ts";
import { byKey, digest, labels, objectName, serverName, text, time, whole } from "./field.ts";
import { columns, defineKind, type ObjectOf, type Rule } from "./kind.ts";
import { merge, sft } from "./methods.ts";
import { trainingRun } from "./training-run.ts";

/** Members of one generation: each has an entry in its status. */
export const mostMembers = 64;
/** Parents of one generation: what one merge can take. */
export const mostParents = 16;
/** Beside a merged child there may be the mean and the union. */
const mostChildren = 10;
/** Evaluations of one generation. */
const mostMeasurements = 200;
/** Promotion, retirement, and an archival for each member and child. */
const mostDecisions = 96;
/** Room in a name of 45 characters for `-g100` and, behind it, `-m200`. */
const longestRootName = 35;

const adapterName = () => objectName(52);
const points = () => text(20);

const spent = z.object({
  evaluations: whole(0, 1000000).describe("Evaluations that were created."),
  gpuSeconds: whole(0, Number.MAX_SAFE_INTEGER).describe("Seconds of the attempts of TrainingRuns, times their GPUs."),
});

const best = z.object({
  adapter: adapterName().describe("Adapter with the best lower bound."),
  taskSet: measuredTasks.describe("What it was measured on."),
  passAt1: interval.describe("Its Pass@1 there."),
});

const spec = z.object({
  serverRef: z
    .object({ name: serverName().describe("Name of the ModelServer.") })
    .describe("The ModelServer that every arm of every evaluation is answered by; its base is the population's."),
  population: z
    .object({
      matchLabels: labels().describe(
        "Labels that Adapters carry to be members. Those that are not of `rune.dev/` are put onto children, so that they are members of the next generation.",
      ),
      maximum: whole(2, mostMembers)
        .default(32)
        .describe("Most members: champions first, then who was never measured on these tasks, then by lower bound."),
    })
    .describe("Whom evolution works on."),
  fitness: z
    .object({
      taskSet: taskSetReference.describe("The tasks that members and children are selected by, such as the part Validation of a set."),
      samples: whole(1, 100)
        .default(5)
        .describe("Programs for each task. A member that was measured on these very tasks is not measured again."),
    })
    .describe("How good an adapter is."),
  selection: z
    .object({
      parents: whole(2, mostParents).default(4).describe("Parents that are selected."),
      tournamentSize: whole(1, mostMembers)
        .default(3)
        .describe("Members that are drawn for one tournament; the one with the best lower bound becomes a parent."),
      keepTaskWinners: z
        .boolean()
        .default(true)
        .describe(
          "Half of the parents are drawn from who solves single tasks better than all others, however good it is on the mean; each as likely as it wins tasks.",
        ),
    })
    .default({ parents: 4, tournamentSize: 3, keepTaskWinners: true })
    .describe("Who becomes a parent, by seeded draws."),
  variation: z
    .object({
      merge: z
        .object({
          children: whole(1, 8).default(3).describe("Merged children: the first of all parents, each other one of two."),
          combine: merge.shape.combine,
          weights: z
            .enum(["Search", "Equal"])
            .default("Search")
            .describe("Search finds the weights on what passed in the parents' Validation tasks; Equal gives each parent 1."),
          search: merge.shape.search.describe("How weights are searched; as a TrainingRun does it when unset."),
          rank: merge.shape.rank,
          density: merge.shape.density,
        })
        .default({ children: 3, combine: "Cat", weights: "Search", density: "0.5" })
        .describe("Children by merging. They alone are promoted."),
      mean: z.boolean().default(true).describe("Measures the mean of all parents beside the children: who doesn't beat it isn't promoted."),
      unionRetrain: z
        .boolean()
        .default(true)
        .describe("Measures an adapter that learnt from all parents' trajectories anew: who doesn't beat it isn't promoted."),
      sft: sft.optional().describe("How that one is trained; as the best parent was when unset."),
    })
    .default({
      merge: { children: 3, combine: "Cat", weights: "Search", density: "0.5" },
      mean: true,
      unionRetrain: true,
    })
    .describe("What children are made, and what they are compared with."),
  promotion: z
    .object({
      taskSet: taskSetReference.describe("The tasks that decide, such as the part Test: none that anybody was selected by."),
      samples: whole(1, 100).default(5).describe("Programs for each task."),
      marginPoints: whole(0, 100)
        .default(0)
        .describe("Points of Pass@1 that the lower bound of the gain over the best parent and the champion must reach."),
      minimumTasks: gate.shape.minimumTasks,
    })
    .describe("When a child becomes the champion of its scope. At most one does, by one paired evaluation."),
  pruning: z
    .object({
      belowBase: z.boolean().default(true).describe("Archives members whose upper bound is below the base's Pass@1."),
      patience: whole(1, 10).default(2).describe("Generations in a row that it must have been so."),
      minimumPopulation: whole(2, mostMembers).default(4).describe("Never archives below this many members."),
    })
    .default({ belowBase: true, patience: 2, minimumPopulation: 4 })
    .describe("Who is archived. Champions, and who is loaded or claimed, never are."),
  budget: z
    .object({
      evaluations: whole(1, 100000).optional().describe("Evaluations over all generations."),
      gpuHours: whole(1, 1000000).optional().describe("GPU hours of TrainingRuns over all generations."),
    })
    .default({})
    .describe("What all generations may take together. Nothing is begun beyond it; a promotion that it doesn't pay for doesn't happen."),
  maxGenerations: whole(1, 100)
    .default(5)
    .describe(
      "Most generations. Each gate's confidence is 1 − 0.05 / this, so that all together are wrong in at most one chain of twenty.",
    ),
  sampling: sampling.default({}),
  sandbox: sandbox.default({}),
  concurrency: whole(1, 64).default(4).describe("Tasks that an evaluation works on at once."),
  training: z
    .object({
      image: trainingRun.spec.shape.image,
      resources: trainingRun.spec.shape.resources,
      queueName: trainingRun.spec.shape.queueName,
      nodeSelector: trainingRun.spec.shape.nodeSelector,
      tolerations: trainingRun.spec.shape.tolerations,
      priorityClassName: trainingRun.spec.shape.priorityClassName,
      checkpoint: trainingRun.spec.shape.checkpoint,
      deadlineSeconds: trainingRun.spec.shape.deadlineSeconds,
      runsAtOnce: whole(1, 10).default(2).describe("TrainingRuns that are under way at once."),
    })
    .default({ runsAtOnce: 2, resources: {}, checkpoint: { everySteps: 20, size: "2Gi" }, deadlineSeconds: 86400 })
    .describe("How its TrainingRuns run."),
  seed: whole(0, 2147483647).default(0).describe("Seed of draws and of what children are made by; and the one that chooses tasks."),
  generation: whole(1, 100).default(1).describe("Number of this generation. The operator writes it; leave it out."),
  rootRef: z
    .object({
      name: objectName(longestRootName).describe("Name of the first generation."),
      uid: text(64).describe("Its UID."),
    })
    .optional()
    .describe("The first generation of the chain, which a person created. The operator writes it; suspending that object stops the chain."),
  former: z
    .object({
      name: objectName(45).describe("Name of the generation before."),
      spent: spent.describe("What all generations before have taken."),
      best: best.optional().describe("The best adapter before."),
      withoutImprovement: whole(0, 100).describe("Generations in a row that brought no better one."),
      belowBase: z
        .array(
          z.object({
            name: adapterName().describe("Member."),
            generations: whole(1, 100).describe("Generations in a row that its upper bound has been below the base's."),
          }),
        )
        .max(mostMembers)
        .meta(byKey("name"))
        .describe("Members that were below the base."),
    })
    .optional()
    .describe("What a generation has to know of those before. The operator writes it."),
  requires,
  ...bounded,
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

/** What a child is made by. */
export const childKinds = ["Merge", "Mean", "UnionRetrain"] as const;

const child = z.object({
  run: objectName(45).describe("TrainingRun that makes it."),
  runUID: text(64).optional().describe("UID of that run."),
  kind: z.enum(childKinds).describe("How it is made. Mean and UnionRetrain are there to be beaten."),
  parents: z.array(adapterName()).min(1).max(mostParents).describe("Adapters that begot it."),
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

const status = z.object({
  ...statusBase,
  startTime: time().optional().describe("When the population was frozen."),
  taskSet: measuredTasks.optional().describe("The tasks that select, frozen at the start."),
  promotionTaskSet: measuredTasks.optional().describe("The tasks that decide, frozen at the start."),
  shuffled: z
    .boolean()
    .optional()
    .describe("Whether the promotion tasks have several members' scopes, so that an arm can give each task another task's adapter."),
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
      baseline: adapterName()
        .optional()
        .describe("Which of the two it was compared with by the gate: the better one on the fitness tasks."),
      confidence: text(20).optional().describe("Confidence of the gate's interval."),
      inflationPoints: points()
        .optional()
        .describe("Points by which the best of so many equally good children is expected to look better than it is on the fitness tasks."),
      evaluation: objectName(45).optional().describe("Evaluation that decided."),
      delta: interval.optional().describe("Gain over the baseline in points on the promotion tasks, with its 95 % interval."),
      rivals: z
        .array(
          z.object({
            adapter: adapterName().describe("Whom it must beat as well."),
            role: z.enum(["BestParent", "Incumbent", "Mean", "UnionRetrain"]).describe("What that is."),
            delta: interval.describe("That one's gain over the same baseline, in points."),
          }),
        )
        .max(4)
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
  best: best.optional().describe("The best adapter of this generation and of those before."),
  withoutImprovement: whole(0, 100).optional().describe("Generations in a row that brought no better one."),
  spent: spent.optional().describe("What all generations so far have taken."),
  exhausted: text(200).optional().describe("What the budget didn't pay for any more."),
  paused: z.boolean().optional().describe("Whether its runs and evaluations were suspended with it."),
  next: objectName(45).optional().describe("The next generation."),
});

const taskSetRules: Rule[] = ["fitness", "promotion"].map((name) => {
  const field = `self.spec.${name}.taskSet`;
  return {
    rule: `has(${field}.repository) == has(${field}.digest) && [has(${field}.digest), has(${field}.configMap), has(${field}.bundled)].filter(x, x).size() == 1`,
    field: `.spec.${name}.taskSet`,
    message: `spec.${name}.taskSet needs exactly one of repository with digest, configMap and bundled`,
  };
});

const [selecting, deciding] = ["self.spec.fitness.taskSet", "self.spec.promotion.taskSet"];
const equal = (name: string) => `has(${selecting}.${name}) && has(${deciding}.${name}) && ${selecting}.${name} == ${deciding}.${name}`;

export const evolutionGeneration = defineKind({
  kind: "EvolutionGeneration",
  plural: "evolutiongenerations",
  singular: "evolutiongeneration",
  shortNames: ["reg"],
  description:
    "One generation of adapters: members are measured, parents drawn, children made, and only what beats its best parent, the mean and the union on tasks that nobody was selected by becomes a champion.",
  nameMaxLength: 40,
  spec,
  status,
  mutable: ["suspend", "ttlSecondsAfterFinished"],
  frozenBecause: "an EvolutionGeneration is the record of its decisions; create a new object instead",
  rules: [
    ...taskSetRules,
    {
      rule: `has(self.spec.rootRef) || self.metadata.name.size() <= ${longestRootName}`,
      field: ".metadata.name",
      message: `metadata.name must have at most ${longestRootName} characters, because the names of later generations begin with it`,
    },
    {
      rule: "has(self.spec.rootRef) == (self.spec.generation > 1) && has(self.spec.former) == (self.spec.generation > 1)",
      field: ".spec.generation",
      message:
        "spec.generation, rootRef and former are the operator's; leave them out, and the generations after the first follow by themselves",
    },
    {
      rule: `!((${equal("digest")}) || (${equal("configMap")}) || (${equal("bundled")})) || (${selecting}.part != ${deciding}.part && ${selecting}.part != 'All' && ${deciding}.part != 'All')`,
      field: ".spec.promotion.taskSet",
      message: "spec.promotion.taskSet must have other tasks than spec.fitness.taskSet; of one set, take the parts Test and Validation",
    },
    {
      rule: "self.spec.selection.parents <= self.spec.population.maximum",
      field: ".spec.selection.parents",
      message: "spec.selection.parents exceeds spec.population.maximum; select fewer, or take more members",
    },
    {
      rule: "self.spec.selection.tournamentSize <= self.spec.population.maximum",
      field: ".spec.selection.tournamentSize",
      message: "spec.selection.tournamentSize exceeds spec.population.maximum; draw fewer, or take more members",
    },
    {
      rule: "self.spec.pruning.minimumPopulation >= self.spec.selection.parents",
      field: ".spec.pruning.minimumPopulation",
      message: "spec.pruning.minimumPopulation must be at least spec.selection.parents, so that the next generation finds as many",
    },
    {
      rule: "self.spec.variation.merge.combine != 'Mean'",
      field: ".spec.variation.merge.combine",
      message: "spec.variation.merge.combine can't be Mean, which is what children are compared with by spec.variation.mean; take another",
    },
    {
      rule: "!has(self.spec.variation.merge.search) || self.spec.variation.merge.weights == 'Search'",
      field: ".spec.variation.merge.search",
      message: "spec.variation.merge.search needs weights: Search",
    },
    {
      rule: "!has(self.spec.variation.sft) || (self.spec.variation.unionRetrain && !has(self.spec.variation.sft.warmStart))",
      field: ".spec.variation.sft",
      message: "spec.variation.sft is for unionRetrain, and takes no warmStart: it learns anew",
    },
  ],
  columns: columns(
    { name: "Generation", type: "integer", jsonPath: ".spec.generation", description: "Number of the generation." },
    { name: "Members", type: "integer", jsonPath: ".status.memberCount", description: "Members of the population." },
    { name: "Best", type: "string", jsonPath: ".status.best.passAt1.estimate", description: "Pass@1 of the best adapter so far." },
    {
      name: "Delta",
      type: "string",
      jsonPath: ".status.promotion.delta.estimate",
      description: "Points that the candidate gained over the best parent or the champion.",
    },
    { name: "Promoted", type: "string", jsonPath: ".status.promoted", description: "The new champion." },
    { name: "Archived", type: "integer", jsonPath: ".status.archived", description: "Adapters that were archived." },
    { name: "Next", type: "string", jsonPath: ".status.next", description: "The next generation.", priority: 1 },
  ),
});
export type EvolutionGeneration = ObjectOf<typeof evolutionGeneration>;
