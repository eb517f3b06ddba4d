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
    .describe(
      "UID of the object and what happened to it, so that anyone who tells of it again tells the same. Unique with `source`, and by itself.",
    ),
  source: text(200).describe(`\`/apis/${apiVersion}/namespaces/<namespace>/<plural of the kind>\`, where the object is.`),
  subject: objectName(63).describe("Name of the object."),
  time: time().describe("When it happened, as the object's conditions or the adapter's evidence say."),
  datacontenttype: z.literal("application/json"),
};

const object = z
  .object({ namespace: objectName(), name: objectName(), uid: text(64).min(1) })
  .describe("The object that the event is about.");
const named = z.object({ name: objectName(), digest: digest() });

const adapterHeader = {
  object,
  digest: digest().describe("Manifest digest of its weights."),
  by: z
    .object({ kind: z.enum(["Evaluation", "EvolutionGeneration", "Person"]), name: objectName(), uid: text(64) })
    .describe("The object that decided. A person's decision has the Adapter's name and, as UID, a digest of namespace and words."),
};

const event = <Type extends string, Data extends z.ZodType>(type: Type, data: Data) =>
  z.object({ ...attributes, type: z.literal(type), data });

/** Everything that is told, by `type`. A version of a type only ever gains optional fields; anything else is a new version beside it. */
export const cloudEvent = z.discriminatedUnion("type", [
  event(
    "dev.rune.trainingrun.produced.v1",
    z.object({
      object,
      method: z.enum(methodNames).describe("How they were made; `control` adapters know nothing and are there to be measured against."),
      artifact: artifactReference.describe("The run's artifact: an adapter, or an index of several."),
      adapters: whole(1, 10000).describe("Adapters that the run has created; the label `rune.dev/run` finds them."),
      adapter: objectName().optional().describe("The Adapter, where it is one alone."),
    }),
  ),
  event(
    "dev.rune.adapter.promoted.v1",
    z.object({
      ...adapterHeader,
      tier: z.enum(["Task", "Domain", "ProjectRoot"]),
      scope: scope.describe("Of which it is the champion from then on."),
    }),
  ),
  event(
    "dev.rune.adapter.retired.v1",
    z.object({
      ...adapterHeader,
      scope: scope.describe("Of which it was the champion."),
      successor: named.describe("Who is the champion now."),
    }),
  ),
  event("dev.rune.adapter.archived.v1", z.object({ ...adapterHeader, why: text(500) })),
  event("dev.rune.adapter.restored.v1", z.object({ ...adapterHeader, why: text(500) })),
  event(
    "dev.rune.evaluation.decided.v1",
    z.object({
      object,
      verdict: z.enum(["Passed", "Failed", "Inconclusive"]).describe("Of the gate."),
      candidate: z.object({ arm: text(30), adapter: named.optional().describe("Where one adapter answers for the arm.") }),
      baseline: z.object({ arm: text(30) }),
      delta: interval.optional().describe("Gain of candidate over baseline in percentage points, paired by task."),
      report: artifactReference.optional(),
    }),
  ),
  event(
    "dev.rune.evolutiongeneration.ended.v1",
    z.object({
      object,
      generation: whole(1, 1000000).describe("Its number in the chain."),
      result: z.enum(["Succeeded", "Failed"]),
      reason: text(63).describe("Reason of that condition: why the chain ends here, or `Continued`."),
      promoted: objectName().optional().describe("The new champion."),
      retired: objectName().optional().describe("The champion before."),
      archived: whole(0, 10000).describe("Adapters that were archived."),
      best: objectName().optional().describe("Adapter with the best lower bound so far."),
      next: objectName().optional().describe("The next generation."),
    }),
  ),
  event(
    "dev.rune.agentsession.ended.v1",
    z.object({
      object,
      result: z.enum(["Succeeded", "Failed"]),
      reason: text(63).describe("Reason of that condition."),
      outcome: sessionOutcome.optional().describe("Unset where the work never began."),
      adapter: named.optional().describe("What it worked with; unset for the base alone."),
      rounds: whole(0, 1000),
      programs: whole(0, 100000),
      trajectory: artifactReference.optional().describe("The sealed log."),
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
