import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { digest, objectName, text, time, whole } from "../fields/field.ts";
import { interval } from "../fields/measurement.ts";
import { scope } from "../fields/scope.ts";
import { sessionOutcome } from "../fields/session-outcome.ts";
import { methodNames } from "../kinds/methods.ts";
import { apiVersion } from "../words/group.ts";

/*
 * What the operator tells of what was decided, in the JSON format of CloudEvents 1.0 (cloudevents/formats/json-format.md), structured mode.
 * Data holds names, digests and numbers, and of words only the reasons that evidence has: never text of a trajectory.
 */

const attributes = {
  specversion: z.literal("1.0"),
  id: text(200)
    .min(1)
    .describe("UID of the object and what happened to it. An event that is published again has the same ID. Unique by itself."),
  source: text(200).describe(
    `\`/apis/${apiVersion}/namespaces/<namespace>/<plural of the kind>\`: the resource and namespace of the object.`,
  ),
  subject: objectName(63).describe("Name of the object."),
  time: time().describe("Time of the event, by the object's conditions or the adapter's evidence."),
  datacontenttype: z.literal("application/json"),
};

const object = z
  .object({ namespace: objectName(), name: objectName(), uid: text(64).min(1) })
  .describe("The object that the event is about.");
const named = z.object({ name: objectName(), digest: digest() });

const adapterHeader = {
  object,
  digest: digest().describe("Manifest digest of the Adapter's artifact."),
  by: z
    .object({ kind: z.enum(["Evaluation", "EvolutionGeneration", "Person"]), name: objectName(), uid: text(64) })
    .describe("Object that made the decision. For a person's, the name is the Adapter's and the UID a digest of namespace and annotation."),
};

const event = <Type extends string, Data extends z.ZodType>(type: Type, data: Data) =>
  z.object({ ...attributes, type: z.literal(type), data });

/** Everything that is told, by `type`. A version of a type only ever gains optional fields; anything else is a new version beside it. */
export const cloudEvent = z.discriminatedUnion("type", [
  event(
    "dev.rune.trainingrun.produced.v1",
    z.object({
      object,
      method: z
        .enum(methodNames)
        .describe("Method by which the adapters were made; those of `control` hold no knowledge and are compared with in evaluations."),
      artifact: artifactReference.describe("Artifact of the run: an adapter, or an index of several."),
      adapters: whole(1, 10000).describe("Number of Adapters that the run has created. They have the label `rune.dev/run`."),
      adapter: objectName().optional().describe("Name of the Adapter, if the run made a single one."),
    }),
  ),
  event(
    "dev.rune.adapter.promoted.v1",
    z.object({
      ...adapterHeader,
      tier: z.enum(["Task", "Domain", "ProjectRoot"]),
      scope: scope.describe("Scope that the Adapter is the champion of from then on."),
    }),
  ),
  event(
    "dev.rune.adapter.retired.v1",
    z.object({
      ...adapterHeader,
      scope: scope.describe("Scope that the Adapter was the champion of."),
      successor: named.describe("Adapter that is the champion now."),
    }),
  ),
  event("dev.rune.adapter.archived.v1", z.object({ ...adapterHeader, why: text(500) })),
  event("dev.rune.adapter.restored.v1", z.object({ ...adapterHeader, why: text(500) })),
  event(
    "dev.rune.evaluation.decided.v1",
    z.object({
      object,
      verdict: z.enum(["Passed", "Failed", "Inconclusive"]).describe("Verdict of the gate."),
      candidate: z.object({
        arm: text(30),
        adapter: named.optional().describe("Adapter of the arm; unset unless a single one answers all tasks."),
      }),
      baseline: z.object({ arm: text(30) }),
      delta: interval.optional().describe("Gain of the candidate over the baseline in percentage points of Pass@1, paired by task."),
      report: artifactReference.optional(),
    }),
  ),
  event(
    "dev.rune.evolutiongeneration.ended.v1",
    z.object({
      object,
      generation: whole(1, 1000000).describe("Number of the generation in its chain."),
      result: z.enum(["Succeeded", "Failed"]),
      reason: text(63).describe("Reason of the condition named in `result`: why the chain ends here, or `Continued`."),
      promoted: objectName().optional().describe("Name of the new champion; unset if none was promoted."),
      retired: objectName().optional().describe("Name of the champion that was replaced; unset if none was."),
      archived: whole(0, 10000).describe("Number of Adapters that were archived."),
      best: objectName().optional().describe("Name of the Adapter with the best lower bound of Pass@1 so far."),
      next: objectName().optional().describe("Name of the next generation; unset if there is none."),
    }),
  ),
  event(
    "dev.rune.agentsession.ended.v1",
    z.object({
      object,
      result: z.enum(["Succeeded", "Failed"]),
      reason: text(63).describe("Reason of the condition named in `result`."),
      outcome: sessionOutcome.optional().describe("How the work ended; unset if it never began."),
      adapter: named.optional().describe("Adapter that the session worked with; unset for the base model alone."),
      rounds: whole(0, 1000),
      programs: whole(0, 100000),
      trajectory: artifactReference.optional().describe("Artifact with the sealed trajectory."),
    }),
  ),
]);
export type CloudEvent = z.infer<typeof cloudEvent>;

/** `Content-Type` of an event as a message: structured mode. */
export const eventContentType = "application/cloudevents+json; charset=utf-8";

/** The stream that keeps events, and the subjects that it takes: `rune.events.<namespace>.<kind>.<event>`. */
export const eventStream = "RUNE_EVENTS";
export const eventSubjects = "rune.events.>";

/**
 * An event that isn't told within this time after it happened is not told any more. Until then it is told again after every crash, so the
 * stream must know ids for longer.
 */
export const publishedWithinSeconds = 24 * 3600;

/** Where an event is published, such as `rune.events.team.adapter.promoted`: the last parts are those of its type. */
export function eventSubject({ type, data }: CloudEvent): string {
  const [, , kind, what] = type.split(".");
  return `rune.events.${data.object.namespace}.${kind}.${what}`;
}

/** Which events a subscriber is delivered: those of one namespace, or all. */
export const eventsOf = (namespace?: string) => (namespace ? `rune.events.${namespace}.>` : eventSubjects);
/** Where a subscriber's events are delivered. Nobody else knows its key, so nobody can put something between them. */
export const deliverySubject = (userKey: string) => `rune.delivery.${userKey}`;
/** Name of the consumer that delivers them. */
export const subscriberConsumer = (name: string) => `subscriber-${name}`;
