import { z } from "zod";
import { digest, text, time, whole } from "./field.ts";

const mostProbes = 64;
/** Of probes that failed, how many stand in status. */
export const mostFailedProbes = 10;

export const isolationProbe = z.object({
  name: text(100).describe("What was tried."),
  layer: whole(1, 2).describe("1: network policy alone; 2: process locks alone."),
  expected: z.enum(["Blocked", "Reached"]).describe("What a safe sandbox answers."),
  observed: z.enum(["Blocked", "Reached", "Error"]).describe("What happened."),
});

const verified = z.boolean().describe("Whether every probe answered as a safe sandbox must.");
const probes = z.array(isolationProbe).max(mostProbes);
const provenAt = time().optional().describe("When the probes ran.");

/** The whole proof, as sandboxes answer it and logs keep it. */
export const isolation = z.object({ verified, probes: probes.describe("Each probe and its answer."), time: provenAt });
export type Isolation = z.infer<typeof isolation>;

/** What status says of a proof. */
export const isolationStatus = z
  .object({
    verified,
    tried: whole(0, mostProbes).optional().describe("How many probes there were."),
    failed: z
      .array(isolationProbe)
      .max(mostFailedProbes)
      .optional()
      .describe("Those that answered otherwise, the first ones where they are many."),
    digest: digest()
      .optional()
      .describe("Digest of the list of all probes with their answers (canonical JSON), which stands in the log and in the trajectory."),
    probes: probes.optional().describe("Each probe and its answer, in objects of versions that kept the list here."),
    time: provenAt,
  })
  .describe("The proof of isolation that stood before the first program ran, summed up.");
export type IsolationStatus = z.infer<typeof isolationStatus>;
