import { z } from "zod";
import {
  adapterConfig,
  adapterFile,
  hypernetworkConfig,
  hypernetworkStatistic,
  learntFile,
  learntFrom,
  mediaType,
  titleAnnotation,
  trainingAnnotation,
  trainingCurve,
  trainingFile,
  unnamedAlarm,
} from "../contracts/artifact.ts";
import { askJob, askResult, environmentJob } from "../contracts/environment.ts";
import { exit, failure, probeTargets, specPath, terminationLog } from "../contracts/pod.ts";
import {
  executeRequest,
  landlockSubstitute,
  mostRequestBytes,
  runnerPath,
  runnerRefusal,
  runnerVariable,
  sandboxPath,
} from "../contracts/runner.ts";
import { execution } from "../contracts/session-log.ts";
import { progress, progressPrefix, trainerJob, trainerResult } from "../contracts/trainer.ts";
import { trajectory } from "../contracts/trajectory.ts";
import { decimal, signedDecimal } from "../fields/field.ts";
import { isolationProbe } from "../fields/isolation.ts";
import { partBelow } from "../fields/task-set.ts";
import { nodeChecks } from "../kinds/environment-check.ts";
import { dividedMethods, largestRank } from "../kinds/methods.ts";
import { port } from "../words/ports.ts";
import { afterFailure, defaultSystem, fence } from "../words/prompts.ts";
import { TrainerReason } from "../words/trainer-reasons.ts";
import { choice, constant, constants, type Document, dataclasses, typedDict } from "./python.ts";

/*
 * What the programs in Python are told of the vocabulary: each gets the part that it needs, as a module of its own package.
 */

const reference = { owner: "Owner", registry: "Registry" };

/** Documents that the trainer's programs read. */
const jobs: readonly Document[] = [
  {
    name: "Job",
    schema: trainerJob,
    names: {
      ...reference,
      sft: "Sft",
      "sft.warmStart": "WarmStart",
      hypernetwork: "Hypernetwork",
      "hypernetwork.stop": "Stop",
      generate: "Generate",
      "generate.hypernetwork": "Origin",
      merge: "Merge",
      "merge.search": "Search",
      control: "Control",
      base: "Base",
      corpus: "Corpus",
      "corpus.trajectories[]": "Source",
      "corpus.trajectories[].adapter": "Reference",
      "adapters[]": "NamedReference",
      generator: "Reference",
      output: "Output",
      "output.scope": "Scope",
      "output.parents[]": "Parent",
      checkpoint: "Checkpoint",
      nats: "Nats",
      mlflow: "Mlflow",
    },
  },
  { name: "EnvironmentJob", schema: environmentJob, names: { ...reference, base: "StagedBase", output: "CheckOutput" } },
  { name: "AskJob", schema: askJob, names: reference },
];

const decimals = [decimal(), signedDecimal()].map(patternOf);

/** The trainer's, as `rune_trainer/contract.py`. */
export function trainerModule(): string {
  return [
    header("What the trainer shares with other programs: its documents, and the words in them.", [
      "from dataclasses import dataclass",
      "from typing import Annotated, Any, Final, Literal, NotRequired, TypedDict",
      "",
      "from rune_trainer.bounds import Items, Text, Whole",
    ]),
    constants("Exit", "How a program of the pod contract ends. 64, 65 and 78 are not tried again.", exit),
    choice("Reason", "Why a run ended other than well, for programs.", Object.values(TrainerReason)),
    constants("MediaType", "Media types of what Rune stores.", mediaType),
    constants("Schema", "What documents say that they are.", {
      adapter: adapterConfig.shape.schema.value,
      hypernetwork: hypernetworkConfig.shape.schema.value,
      learnt: learntFrom.shape.schema.value,
      training: trainingCurve.shape.schema.value,
      trajectory: trajectory.shape.schema.value,
    }),
    [
      constant("SPEC_PATH", specPath, "Where the job document is mounted."),
      constant("TERMINATION_LOG", terminationLog.path, "Where the last words go."),
      constant("TERMINATION_BYTES", terminationLog.bytes, "Kubernetes keeps no more of them."),
      constant("FAILURE_CHARACTERS", longest(failure.shape.failure.shape.message), "Of a failure's message."),
      constant("COLLAPSED_CHARACTERS", longest(trainerResult.shape.collapsed), "Of the words about an alarm."),
      constant("ANSWER_CHARACTERS", longest(askResult.shape.answers.element), "Of each answer of a server."),
      constant("PROGRESS_PREFIX", progressPrefix, "Subject of progress on NATS, before the owner's UID."),
      constant("TITLE_ANNOTATION", titleAnnotation, "Annotation of a layer that is a file: its path."),
      constant("TRAINING_ANNOTATION", trainingAnnotation, "Prefix of a manifest's annotations that say how the work went, as JSON."),
      constant("HYPERNETWORK_STATISTIC", hypernetworkStatistic, "Of a generated adapter: how its hypernetwork's training went."),
      constant("UNNAMED_ALARM", unnamedAlarm, "Ended a training that says no more about it."),
      constant("DIVIDED_METHODS", dividedMethods, "Methods whose work several processes can divide."),
      constant("ADAPTER_CONFIG", adapterFile.config),
      constant("ADAPTER_WEIGHTS", adapterFile.weights),
      constant("LEARNT_FILE", learntFile, "File of an artifact that says what was learnt from."),
      constant("MOST_LEARNT_TRAJECTORIES", most(learntFrom.shape.trajectories)),
      constant("MOST_LEARNT_TASKS", most(learntFrom.shape.tasks)),
      constant("TRAINING_FILE", trainingFile, "File of an artifact that shows how the training went."),
      constant("MOST_CURVE_POINTS", most(trainingCurve.shape.loss), "Of losses, and of checkpoints, in it."),
      constant("LARGEST_RANK", largestRank, "What a server takes at most."),
      constant("SYSTEM", defaultSystem, "Said when a task says nothing else."),
      constant("FENCE", fence, "Opens the code block of an answer."),
      constant("BEFORE_FAILURE", afterFailure.before),
      constant("AFTER_FAILURE", afterFailure.after),
      constant("TRAIN_BELOW", partBelow.Train, "A task's number, from 0 to 99, is below this in Train, else"),
      constant("VALIDATION_BELOW", partBelow.Validation, "below this in Validation, else in Test."),
    ].join(""),
    choice("NodeCheck", "Checks that a node's Job makes, in their order.", nodeChecks),
    ...dataclasses(jobs, (pattern) => decimals.includes(pattern)),
    typedDict("Result", "Termination message of a run.", trainerResult),
    typedDict("Progress", "Progress of a run, for those who watch it.", progress),
  ].join("\n\n");
}

/** The sandbox's, as `rune_sandbox/contract.py`. */
export function sandboxModule(): string {
  const { epoch, id, memoryMiB, outputBytes, timeoutSeconds } = executeRequest.shape;
  return [
    header("What the runner shares with its callers and with the program that starts it.", ["from typing import Final, Literal"]),
    constants("Path", "Where the runner is asked.", runnerPath),
    constants("Refusal", "Why the runner refuses.", same(runnerRefusal)),
    constants("Observed", "What a probe met.", same(isolationProbe.shape.observed.enum)),
    choice("Outcome", "What became of a program.", execution.shape.outcome.options),
    [
      constant("STATUS", runnerRefusal, "Each refusal's status of HTTP."),
      constant("PORT", port.runner),
      constant("TOKEN_PATH", sandboxPath.token, "Where the token is mounted that callers must show."),
      constant("OUT_PATH", sandboxPath.out, "Where programs may write."),
      constant("LIBRARY_PATH", sandboxPath.library, "What stands on a program's import path."),
      constant("TOKEN_FILE_VARIABLE", runnerVariable.tokenFile),
      constant("WITHOUT_LANDLOCK_VARIABLE", runnerVariable.withoutLandlock),
      constant("LANDLOCK_SUBSTITUTE", landlockSubstitute, "Its one value: the runtime class takes Landlock's place."),
      constant("MOST_REQUEST_BYTES", mostRequestBytes),
      constant("ID_PATTERN", patternOf(id), id.description),
      constant("EPOCH", boundsOf(epoch), "From and to; so are those that follow."),
      constant("MEMORY_MIB", boundsOf(memoryMiB)),
      constant("OUTPUT_BYTES", boundsOf(outputBytes)),
      constant("OUTPUT_BYTES_UNSET", outputBytes.def.defaultValue as number, "Where a request doesn't say them."),
      constant("MOST_SECONDS", boundsOf(timeoutSeconds)[1], "Of one execution."),
      constant("PROBE_TARGETS", Object.keys(probeTargets.shape), "What must be out of reach."),
    ].join(""),
  ].join("\n\n");
}

function header(about: string, imports: readonly string[]): string {
  return [`"""${about}"""`, "", ...imports, ""].join("\n");
}

const same = (words: Readonly<Record<string, unknown>>) => Object.fromEntries(Object.keys(words).map((word) => [word, word]));

function patternOf(schema: z.ZodType): string {
  return (z.toJSONSchema(schema) as { pattern: string }).pattern.replaceAll("\\/", "/");
}

/** Smallest and largest of a number. */
function boundsOf(schema: z.ZodType): readonly [number, number] {
  const { minimum = 0, maximum } = z.toJSONSchema(schema) as { minimum?: number; maximum: number };
  return [minimum, maximum];
}

/** Characters of a string at most. */
function longest(schema: z.ZodType): number {
  return (z.toJSONSchema(schema) as { maxLength: number }).maxLength;
}

/** Items of a list at most. */
function most(schema: z.ZodType): number {
  return (z.toJSONSchema(schema) as { maxItems: number }).maxItems;
}
