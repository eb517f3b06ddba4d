import { z } from "zod";
import { byKey, labels, objectName, serverName, text, whole } from "../fields/field.ts";
import { lifecycle } from "../fields/lifecycle.ts";
import { requires } from "../fields/requires.ts";
import { sampling } from "../fields/sampling.ts";
import { sandbox } from "../fields/sandbox.ts";
import { taskSetReference } from "../fields/task-set.ts";
import { gate } from "./evaluation.ts";
import { adapterName, best, mostDecisions, mostMembers, mostParents, spent, status } from "./evolution-status.ts";
import { columns, defineKind, type ObjectOf, type Rule } from "./kind.ts";
import { hypernetwork, hypernetworkReference, isOneHypernetwork, merge, sft } from "./methods.ts";
import { trainingRun } from "./training-run.ts";

/** Room in a name of 45 characters for `-g100` and, behind it, `-m200`. */
const longestRootName = 35;

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
            .describe(
              "Search finds the weights on what passed in the parents' Validation tasks; Equal gives each parent 1, and so does Search where none of them has passed one.",
            ),
          search: merge.shape.search.describe("How weights are searched; as a TrainingRun does it when unset."),
          rank: merge.shape.rank,
          density: merge.shape.density,
        })
        .default({ children: 3, combine: "Cat", weights: "Search", density: "0.5" })
        .describe("Children by merging."),
      generate: z
        .object({ hypernetwork: hypernetworkReference.describe("The hypernetwork: run, or repository and digest.") })
        .optional()
        .describe(
          "One more child, by one forward pass of a hypernetwork over all trajectories that the parents have learnt from. It can be promoted as a merged one is.",
        ),
      mean: z.boolean().default(true).describe("Measures the mean of all parents beside the children: who doesn't beat it isn't promoted."),
      unionRetrain: z
        .boolean()
        .default(true)
        .describe("Measures an adapter that learnt from all parents' trajectories again: who doesn't beat it isn't promoted."),
      scaledParent: z
        .boolean()
        .default(true)
        .describe(
          "Before a child is put to the test, measures its best parent at the child's own strength: who doesn't beat that gained by dose, not by combination, and isn't promoted.",
        ),
      sft: sft.optional().describe("How the union is trained; as the best parent was when unset."),
    })
    .default({
      merge: { children: 3, combine: "Cat", weights: "Search", density: "0.5" },
      mean: true,
      unionRetrain: true,
      scaledParent: true,
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
  hypernetwork: z
    .object({
      sessions: z
        .object({ matchLabels: labels().describe("Labels that the AgentSessions carry.") })
        .describe("Sessions that it learns from; those that were solved count."),
      retrainAfterPairs: whole(1, 1000000)
        .default(20)
        .describe("Sessions that must have been solved since it was trained last, or since the first generation began."),
      settings: hypernetwork.optional().describe("How it is trained; as a TrainingRun trains one when unset."),
    })
    .optional()
    .describe(
      "Trains the hypernetwork of variation.generate again on a grown corpus, at the end of a generation that another one follows; that one generates by the new one. The budget doesn't count it, and pays for none once it is spent.",
    ),
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
      promoted: adapterName().optional().describe("The champion that it made, which may not show it yet."),
      pairs: whole(0, 1000000).optional().describe("Solved sessions that the hypernetwork has learnt from."),
      archived: z.array(adapterName()).max(mostDecisions).describe("Adapters that it archived, which may not show it yet."),
    })
    .optional()
    .describe("What a generation has to know of those before. The operator writes it."),
  requires,
  ...lifecycle,
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
const both = (name: string) => `has(${selecting}.${name}) && has(${deciding}.${name})`;
const equal = (name: string) => `${selecting}.${name} == ${deciding}.${name}`;
/** Whether both name one set, in any form. CEL can't compare objects at two paths. */
const sameSet = [
  `(${both("digest")} && ${equal("digest")})`,
  `(${both("configMap")} && ${equal("configMap.name")} && ${equal("configMap.key")})`,
  `(${both("bundled")} && ${equal("bundled")})`,
].join(" || ");

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
      rule: `!(${sameSet}) || (${selecting}.part != ${deciding}.part && ${selecting}.part != 'All' && ${deciding}.part != 'All')`,
      field: ".spec.promotion.taskSet",
      message: "spec.promotion.taskSet must have other tasks than spec.fitness.taskSet; of one set, take the parts Test and Validation",
    },
    {
      rule: "!has(self.spec.hypernetwork) || has(self.spec.variation.generate)",
      field: ".spec.hypernetwork",
      message: "spec.hypernetwork trains again what spec.variation.generate begins with; name a hypernetwork there",
    },
    {
      rule: `!has(self.spec.variation.generate) || ${isOneHypernetwork("self.spec.variation.generate.hypernetwork")}`,
      field: ".spec.variation.generate.hypernetwork",
      message: "spec.variation.generate.hypernetwork needs either run, or repository and digest",
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
      message: "spec.variation.sft is for unionRetrain, and takes no warmStart: it learns from the beginning",
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
