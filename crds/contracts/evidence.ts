import { z } from "zod";
import { artifactReference } from "../fields/artifact-reference.ts";
import { digest, text, time } from "../fields/field.ts";
import { measuredTasks, rate } from "../fields/measurement.ts";
import { scope } from "../fields/scope.ts";

const evidenceHeader = {
  schema: z.literal("rune.dev/evidence/v1"),
  adapter: z
    .object({ name: text(63), digest: digest() })
    .describe("Adapter that the evidence is about; the manifest's subject has the same digest."),
  by: z
    .object({ kind: z.enum(["Evaluation", "EvolutionGeneration", "Person"]), namespace: text(63), name: text(63), uid: text(64) })
    .describe("Object that made the decision. For a person's, the name is the Adapter's and the UID a digest of namespace and annotation."),
  time: time().describe("Time of the decision. Of each kind, an adapter's newest evidence counts."),
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
    passAt1: rate.describe("Pass@1 of the adapter's weights alone."),
    taskSet: measuredTasks.optional(),
    base: rate.optional().describe("Pass@1 of the base model on the same tasks; unset if no arm measured it alone."),
    gate: z
      .object({ verdict: z.enum(["Passed", "Failed", "Inconclusive"]), delta: rate.optional() })
      .optional()
      .describe("Result of the gate, with `delta` in percentage points; unset unless the adapter was its candidate."),
    report: artifactReference.optional(),
  }),
  z.object({
    kind: z.literal("Promotion"),
    ...evidenceHeader,
    tier: z.enum(["Task", "Domain", "ProjectRoot"]),
    scope: scope.describe("Scope that the adapter is the champion of from now on."),
    over: z
      .array(z.object({ name: text(63), digest: digest() }))
      .max(8)
      .describe("Adapters that the promoted adapter beat: its best parent and the previous champion."),
    delta: rate.describe("Gain over the best of the adapters in `over`, in percentage points of Pass@1."),
  }),
  z.object({ kind: z.literal("Retirement"), ...evidenceHeader, scope, successor: z.object({ name: text(63), digest: digest() }) }),
  z.object({ kind: z.literal("Archival"), ...evidenceHeader, why: text(500) }),
  z.object({ kind: z.literal("Restoration"), ...evidenceHeader, why: text(500) }),
]);
export type Evidence = z.infer<typeof evidence>;
