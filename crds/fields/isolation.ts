import { z } from "zod";
import { digest, text, time, whole } from "./field.ts";

const mostProbes = 64;
/** Of probes that failed, how many stand in status. */
export const mostFailedProbes = 10;

export const isolationProbe = z.object({
  name: text(100).describe("What the probe attempted, such as a connection to the API server."),
  layer: whole(1, 2).describe(
    "Layer of isolation that the probe tests by itself: 1 is the NetworkPolicy, 2 the locks on the sandbox's processes.",
  ),
  expected: z.enum(["Blocked", "Reached"]).describe("Result of the probe in a safe sandbox."),
  observed: z.enum(["Blocked", "Reached", "Error"]).describe("Result of the probe in this sandbox; Error if it could not be determined."),
});

const verified = z.boolean().describe("Whether every probe had its expected result; otherwise no program runs.");
const probes = z.array(isolationProbe).max(mostProbes);
const provenAt = time().optional().describe("Time at which the probes ran.");

/** The whole proof, as sandboxes answer it and logs keep it. */
export const isolation = z.object({ verified, probes: probes.describe("All probes with their results."), time: provenAt });
export type Isolation = z.infer<typeof isolation>;

/** What status says of a proof. */
export const isolationStatus = z
  .object({
    verified,
    tried: whole(0, mostProbes).optional().describe("Number of probes that ran."),
    failed: z
      .array(isolationProbe)
      .max(mostFailedProbes)
      .optional()
      .describe("Probes whose result differs from the expected one; only the first ones if there are many."),
    digest: digest()
      .optional()
      .describe("Digest of all probes with their results, as canonical JSON. The full list is in the log and the trajectory."),
    probes: probes.optional().describe("All probes with their results; only set on objects written by earlier versions."),
    time: provenAt,
  })
  .describe("Summary of the isolation proof. No program runs before it has passed.");
export type IsolationStatus = z.infer<typeof isolationStatus>;
