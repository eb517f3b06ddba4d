import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { digest, text, time } from "../fields/field.ts";
import { measuredTasks, rate } from "../fields/measurement.ts";
import { scope } from "../fields/scope.ts";

const evidenceHeader = {
  schema: z.literal("rune.dev/evidence/v1"),
  adapter: z.object({ name: text(63), digest: digest() }).describe("Whom it is about; the manifest's subject has the same digest."),
  by: z
    .object({ kind: z.enum(["Evaluation", "EvolutionGeneration", "Person"]), namespace: text(63), name: text(63), uid: text(64) })
    .describe("The object that decided. A person's decision has the Adapter's name and, as UID, a digest of namespace and words."),
  time: time().describe("When it was decided. An adapter is what its newest evidence of a kind says."),
};

/**
 * Config blob of a piece of evidence: a manifest without files whose subject is an adapter, in that adapter's
 * repository. It is stored once under the tag `<first 16 hex digits of the adapter's digest>.<kind, in lower
 * case>.<UID>` and never changed. Fitness, tier, archive and championship in an Adapter's status are a fold over its
 * evidence.
 */
export const evidence = z.discriminatedUnion("kind", [
  z.object({
    kind: z.literal("Evaluation"),
    ...evidenceHeader,
    passAt1: rate.describe("Of these weights alone."),
    taskSet: measuredTasks.optional(),
    base: rate.optional().describe("Pass@1 of the base on the same tasks, where an arm measured it alone."),
    gate: z
      .object({ verdict: z.enum(["Passed", "Failed", "Inconclusive"]), delta: rate.optional() })
      .optional()
      .describe("Where the adapter was the gate's candidate; the difference is in points."),
    report: artifactReference.optional(),
  }),
  z.object({
    kind: z.literal("Promotion"),
    ...evidenceHeader,
    tier: z.enum(["Task", "Domain", "ProjectRoot"]),
    scope: scope.describe("Of which it is the champion from now on."),
    over: z
      .array(z.object({ name: text(63), digest: digest() }))
      .max(8)
      .describe("Whom it beat: its best parent, and who was champion before."),
    delta: rate.describe("Points of Pass@1 above the best of those."),
  }),
  z.object({ kind: z.literal("Retirement"), ...evidenceHeader, scope, successor: z.object({ name: text(63), digest: digest() }) }),
  z.object({ kind: z.literal("Archival"), ...evidenceHeader, why: text(500) }),
  z.object({ kind: z.literal("Restoration"), ...evidenceHeader, why: text(500) }),
]);
export type Evidence = z.infer<typeof evidence>;
