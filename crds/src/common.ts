import { z } from "zod";
import { byKey, decimal, digest, labels, objectName, quantity, repository, text, time, whole } from "./field.ts";

export const group = "rune.dev";
export const version = "v1alpha1";
export const apiVersion = `${group}/${version}`;

export const baseModel = z
  .object({
    huggingFace: z
      .object({
        repository: text(200).min(3).describe("Repository on the Hugging Face hub, such as `Qwen/Qwen2.5-Coder-7B-Instruct`."),
        revision: z
          .string()
          .regex(/^[0-9a-f]{40}$/)
          .max(40)
          .describe("Full commit hash of the revision; branches and tags can move, so they are not accepted."),
        tokenSecret: z
          .object({
            name: objectName(253).describe("Secret in this namespace."),
            key: text(253).min(1).default("token").describe("Its entry that holds the token."),
          })
          .optional()
          .describe("Token that may read the repository, for models that are private or have to be accepted first."),
      })
      .optional()
      .describe("A model on the Hugging Face hub, pinned by commit."),
    oci: z
      .object({
        repository: repository().describe("Repository in the installation's registry that holds the model artifact."),
        digest: digest().describe("Digest of the model artifact's manifest."),
      })
      .optional()
      .describe("A model stored as an OCI artifact, pinned by manifest digest."),
    pvc: z
      .object({
        claimName: objectName(253).describe("PersistentVolumeClaim that holds the model."),
        path: text(500).describe("Directory of the model in the volume, relative to its root."),
      })
      .optional()
      .describe("A model directory on an existing volume; its identity is computed when it is first read."),
  })
  .describe("The frozen base model. Exactly one source. Its identity everywhere is one digest over its files.");
export type BaseModel = z.infer<typeof baseModel>;

export const scope = z
  .object({
    project: text(63).optional().describe("Project that the knowledge belongs to, such as a repository's name."),
    domain: text(63).optional().describe("Domain inside the project, such as `billing` or `parsing`."),
    task: text(63).optional().describe("Single task that the knowledge belongs to."),
  })
  .describe("Where the knowledge applies: retrieval goes from task to domain to project.");
export type Scope = z.infer<typeof scope>;

export const losses = z
  .object({
    count: whole(1, 1000000).describe("Epochs that were lost in a row, with no program executed in between."),
    time: time().describe("When the last of them was lost."),
    progress: whole(0, 10000000).describe("Programs that had been executed by then."),
  })
  .describe("Lost epochs. The pause before the next one grows with their number.");
export type Losses = z.infer<typeof losses>;

export const artifactReference = z.object({
  repository: repository().describe("Repository in the installation's registry."),
  digest: digest().describe("Digest of the artifact's manifest."),
});
export type ArtifactReference = z.infer<typeof artifactReference>;

/** Task sets that come with the installation. */
export const bundledTaskSets = ["HumanEval"] as const;
export type BundledTaskSet = (typeof bundledTaskSets)[number];
/**
 * Which tasks of a set: by SHA-256 of the cluster, or of the id where a task has none, read as a number, modulo 100: below 50 Train,
 * below 75 Validation, the others Test. It is the same everywhere and for ever, so a task that was learnt from is never one that decides.
 */
export const parts = ["All", "Train", "Validation", "Test"] as const;
export type Part = (typeof parts)[number];

export const taskSetReference = z
  .object({
    repository: repository().optional().describe("Repository in the installation's registry, with digest."),
    digest: digest().optional().describe("Digest of the artifact's manifest."),
    configMap: z
      .object({
        name: objectName(253).describe("ConfigMap in this namespace."),
        key: text(253).min(1).default("tasks.jsonl").describe("Its entry: a task set in JSON, a list of tasks, or a task a line."),
      })
      .optional()
      .describe("Tasks in a ConfigMap; they are stored as an artifact, whose digest is frozen, before the first program runs."),
    bundled: z.enum(bundledTaskSets).optional().describe("A task set that comes with the installation."),
    part: z.enum(parts).default("All").describe("Which of the set's tasks. Learn from Train, select by Validation, decide by Test."),
    maxTasks: whole(1, 100000).optional().describe("Uses only this many tasks of the part, chosen by the seed."),
  })
  .describe("The held-out tasks: repository and digest, configMap, or bundled.");

export const requires = z
  .array(
    z.object({
      kind: z
        .enum(["EnvironmentCheck", "ModelServer", "Adapter", "TrainingRun", "AgentSession", "Evaluation", "EvolutionGeneration"])
        .describe("Kind of the object that is waited for."),
      name: objectName().describe("Name of the object, in the same namespace."),
      condition: text(63).min(1).describe("Condition that must be True before work starts, such as `Ready` or `GatePassed`."),
    }),
  )
  .max(16)
  .optional()
  .describe("Conditions of other objects that must be True before work starts; this is how a phase depends on a gate.");

export const resources = z
  .object({
    cpu: quantity().optional().describe("CPU request of the main container."),
    memory: quantity().optional().describe("Memory request and limit of the main container."),
    gpus: whole(0, 16).optional().describe("GPUs of the main container, counted in the installation's GPU resource."),
  })
  .describe("Compute resources of the main container.");
export type Resources = z.infer<typeof resources>;

export const scheduling = {
  nodeSelector: labels().optional().describe("Labels that a node must carry."),
  tolerations: z
    .array(
      z.object({
        key: text(253).optional().describe("Taint key that is tolerated; empty tolerates all keys."),
        operator: z.enum(["Exists", "Equal"]).optional().describe("How the value is compared."),
        value: text(63).optional().describe("Taint value that is tolerated."),
        effect: z
          .enum(["NoSchedule", "PreferNoSchedule", "NoExecute"])
          .optional()
          .describe("Taint effect that is tolerated; empty tolerates all."),
        tolerationSeconds: whole(0, 2147483647).optional().describe("How long a NoExecute taint is tolerated."),
      }),
    )
    .max(32)
    .optional()
    .describe("Taints that the pods tolerate."),
  priorityClassName: text(253).optional().describe("PriorityClass of the pods."),
};

export const sampling = z
  .object({
    temperature: decimal().optional().describe("Sampling temperature; 0 is greedy."),
    topP: decimal().optional().describe("Nucleus sampling mass."),
    maxTokens: whole(1, 32768).optional().describe("Most tokens of one answer."),
    stop: z.array(text(100).min(1)).max(4).optional().describe("Strings that end an answer; the engine accepts at most four."),
  })
  .describe("How answers are sampled.");
export type Sampling = z.infer<typeof sampling>;

export const sandbox = z
  .object({
    libraryConfigMap: objectName(253)
      .optional()
      .describe("ConfigMap whose files stand on the program's import path, read-only: the project's own library."),
    timeoutSeconds: whole(1, 120).optional().describe("Deadline of one execution; the whole process group is killed at it."),
    memory: quantity().optional().describe("Memory for a program, its tests and the runner; the pod gets 96Mi more, for files in memory."),
    cpu: quantity().optional().describe("CPU of the sandbox pod, request and limit."),
    runtimeClassName: text(253).optional().describe("RuntimeClass of the sandbox pod, such as `gvisor` or `kata`."),
  })
  .describe("Where untrusted programs run. Isolation is proven before the first one runs; without proof nothing runs.");
export type SandboxSpec = z.infer<typeof sandbox>;

export const sandboxStatus = z
  .object({
    pod: text(253).describe("Pod of the sandbox."),
    podUID: text(64).optional().describe("UID of that pod."),
    uid: whole(1, 4294967294).describe("User ID that this sandbox alone runs as."),
  })
  .describe("The sandbox of the present epoch.");

/** Spec fields of every kind that ends. */
export const bounded = {
  suspend: z.boolean().optional().describe("Stops the work while true; it goes on where it was when set back."),
  ttlSecondsAfterFinished: whole(0, 31536000).optional().describe("Deletes the object this long after it ended; never when unset."),
};

export const condition = z.object({
  type: text(63).describe("Name of the condition."),
  status: z.enum(["True", "False", "Unknown"]).describe("Whether it holds."),
  observedGeneration: whole(0, Number.MAX_SAFE_INTEGER).optional().describe("Generation of the spec that this was seen for."),
  lastTransitionTime: time().describe("When the status last changed."),
  reason: text(128).describe("One word for programs."),
  message: text(32768).describe("A sentence for people."),
});
export type Condition = z.infer<typeof condition>;

/** Status fields of every kind. */
export const statusBase = {
  observedGeneration: whole(-1, Number.MAX_SAFE_INTEGER)
    .optional()
    .describe("Generation of the spec that this status describes; -1 before the first."),
  conditions: z.array(condition).max(32).meta(byKey("type")).optional().describe("What is true of the object now."),
};

export const isolationProbe = z.object({
  name: text(100).describe("What was tried."),
  layer: whole(1, 2).describe("1: network policy alone; 2: process locks alone."),
  expected: z.enum(["Blocked", "Reached"]).describe("What a safe sandbox answers."),
  observed: z.enum(["Blocked", "Reached", "Error"]).describe("What happened."),
});
export const isolation = z
  .object({
    verified: z.boolean().describe("Whether every probe answered as a safe sandbox must."),
    probes: z.array(isolationProbe).max(64).describe("Each probe and its answer."),
    time: time().optional().describe("When the probes ran."),
  })
  .describe("The proof of isolation that stood before the first program ran.");
export type Isolation = z.infer<typeof isolation>;

export const interval = z.object({
  estimate: text(20).describe("Point estimate, a decimal."),
  lower: text(20).describe("Lower end of the 95 % interval, a decimal."),
  upper: text(20).describe("Upper end of the 95 % interval, a decimal."),
});
export type Interval = z.infer<typeof interval>;

/** Tasks that were measured. Two measurements can be compared only where `digest`, `part`, `tasks` and `seed` are the same. */
export const measuredTasks = z.object({
  digest: digest().describe("Digest of the task set."),
  repository: repository().optional().describe("Repository that holds it."),
  part: z.enum(parts).optional().describe("Part of the set, where it isn't the whole."),
  tasks: whole(1, 100000).describe("How many of its tasks."),
  clusters: whole(1, 100000).optional().describe("How many of them are independent: tasks that share a cluster count as one."),
  seed: whole(0, 2147483647).optional().describe("Seed that chose them, where they are not the whole set."),
  scope: scope.optional().describe("What scope all of the set's tasks share; unset where they share none."),
});
export type MeasuredTasks = z.infer<typeof measuredTasks>;

/** What an evaluation's arm took. */
export const costs = z
  .object({
    promptTokens: whole(0, Number.MAX_SAFE_INTEGER).describe("Tokens of all prompts."),
    completionTokens: whole(0, Number.MAX_SAFE_INTEGER).describe("Tokens of all answers."),
    engineSeconds: whole(0, Number.MAX_SAFE_INTEGER).describe("Seconds that requests took, added up."),
    programs: whole(0, Number.MAX_SAFE_INTEGER).describe("Programs that were executed."),
  })
  .describe("What the arm cost.");

export type Costs = z.infer<typeof costs>;

/** Annotations by which a person decides about an object; the value says why, in words. */
export const annotation = {
  archive: `${group}/archive`,
  restore: `${group}/restore`,
} as const;

/** Annotation-free labels that mirror status for selectors. */
export const label = {
  project: `${group}/project`,
  domain: `${group}/domain`,
  tier: `${group}/tier`,
  archived: `${group}/archived`,
  session: `${group}/session`,
  server: `${group}/server`,
  run: `${group}/run`,
  method: `${group}/method`,
  evaluation: `${group}/evaluation`,
  check: `${group}/check`,
  generation: `${group}/generation`,
  formerUID: `${group}/former-uid`,
  component: `${group}/component`,
  epoch: `${group}/epoch`,
  attempt: `${group}/attempt`,
} as const;
