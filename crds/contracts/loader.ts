import { z } from "zod";
import { digest, repository, text, time, whole } from "../fields/field.ts";

/** `PUT /adapters/{name}` on the admin port. Idempotent: a second call with the same digest changes nothing. */
export const loadRequest = z.object({
  repository: repository(),
  digest: digest(),
  baseDigest: digest(),
  rank: whole(1, 512),
  targetModules: z.array(text(63)).min(1),
  registryToken: text(32768).describe(
    "Short-lived bearer token that may only pull this repository, or a login in the form of a `tokenFile`.",
  ),
});
export type LoadRequest = z.infer<typeof loadRequest>;

/** Why an adapter was refused before it reached vLLM, or unloaded afterwards. */
export const refusal = z.enum([
  "RegistryUnavailable",
  "ArtifactMissing",
  "DigestMismatch",
  "NotAnAdapter",
  "BaseMismatch",
  "RankTooLarge",
  "UnknownModule",
  "ShapeMismatch",
  "NotFinite",
  "AllZero",
  "NoAdapterSlot",
  "EngineUnavailable",
  "EngineRefused",
  "RefusedByEngines",
  "CanaryMismatch",
]);
export type Refusal = z.infer<typeof refusal>;

/** Refusals that are permanent for the same bytes; the others can be retried. */
export const permanentRefusals: readonly Refusal[] = [
  "DigestMismatch",
  "NotAnAdapter",
  "BaseMismatch",
  "RankTooLarge",
  "UnknownModule",
  "ShapeMismatch",
  "NotFinite",
  "AllZero",
  "RefusedByEngines",
  "CanaryMismatch",
];

export const heldAdapter = z.object({
  name: text(63),
  digest: digest(),
  state: z.enum(["Staging", "Loaded", "Refused"]),
  reason: refusal.optional(),
  message: text(1024).optional(),
  canary: z.enum(["Matched", "Unknown", "Mismatched"]).optional(),
  answers: z
    .object({ adapter: text(4096), base: text(4096) })
    .optional()
    .describe("Answers of this engine to the canary prompt, with the adapter and with the base model."),
  open: whole(0, 1_000_000).optional().describe("Number of requests that the adapter is answering now."),
  lastUsed: time().optional().describe("Time at which the last request to the adapter ended; unset if none has since the loader started."),
});
export type HeldAdapter = z.infer<typeof heldAdapter>;

/** Limit of adapters that may be waited for at once, and of the time that a client waits for one. */
export const demandLimits = { names: 64, seconds: 60 } as const;
const wantedNames = z.array(text(63)).max(demandLimits.names);

/** Response to `GET /wanted?after={sequence}` on the admin port, at a new sequence or after `demandWatchSeconds`. */
export const loaderDemand = z.object({ sequence: whole(0, Number.MAX_SAFE_INTEGER), wanted: wantedNames });
export type LoaderDemand = z.infer<typeof loaderDemand>;
export const demandWatchSeconds = 25;

/** `PUT /wanted/{name}`: why an adapter isn't loaded. It is sent at once to the clients that wait for it. */
export const demandVerdict = z.object({
  message: text(1024),
  retrySeconds: whole(1, 600).optional().describe("Seconds after which to ask again; when unset, asking again changes nothing."),
});
export type DemandVerdict = z.infer<typeof demandVerdict>;

/** Response to `GET /state` on the admin port, and to `PUT` and `DELETE /adapters/{name}`. */
export const loaderState = z.object({
  engine: z.object({
    ready: z.boolean().describe("Whether the engine recently answered a real one-token completion."),
    bootID: text(128).describe("Identifier of the engine's process, which changes with every start; empty before the first."),
    baseDigest: digest().optional(),
    slots: whole(0, 64),
    maxRank: whole(0, 512),
  }),
  adapters: z.array(heldAdapter),
  wanted: wantedNames.default([]).describe("Names of the adapters that clients ask for and that aren't loaded, in the order of asking."),
});
export type LoaderState = z.infer<typeof loaderState>;

/** Config document of the loader, mounted at `/rune/spec.json` of every vLLM pod. */
export const loaderConfig = z.object({
  base: z.object({
    name: text(253).describe("Served name of the base model."),
    path: text(500).describe("Directory of the staged base model."),
    digest: digest().optional(),
  }),
  engineURL: z.url(),
  registryURL: z.url(),
  adapterDirectory: text(200).describe("Directory for adapters that is shared with vLLM, which mounts it read-only."),
  slots: whole(1, 64),
  maxRank: whole(1, 512),
  adminKeys: z
    .object({ keys: z.array(z.record(z.string(), z.unknown())) })
    .describe("JWKS of the operator; admin tokens carry the pod's UID as audience."),
});
export type LoaderConfig = z.infer<typeof loaderConfig>;
