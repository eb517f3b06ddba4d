import { z } from "zod";
import { text, whole } from "../fields/field.ts";
import { mostExecutionSeconds } from "../fields/sandbox.ts";

/** Where a pod's input document is mounted. */
export const specPath = "/rune/spec.json";

/** Where a container leaves its last words, and how many bytes of them Kubernetes keeps. */
export const terminationLog = { path: "/dev/termination-log", bytes: 4096 } as const;

/** Where a pod's credentials are mounted: `nats.creds`, `registry-token`, `runner-token`; only those it needs. */
export const credentialsPath = "/rune/credentials";

/** Exit codes of the pod contract. The permanent ones (sysexits) are not retried. */
export const exit = { done: 0, dataError: 64, badInput: 65, unavailable: 75, misconfigured: 78, terminated: 143 } as const;
export const permanentExits: readonly number[] = [exit.dataError, exit.badInput, exit.misconfigured];

export const registry = z.object({
  url: z.url().describe("Base URL of the registry."),
  tokenFile: text(200).describe("File that holds the bearer token, or a `config.json` with a login for this registry."),
});
export const nats = z.object({
  url: text(300).describe("URL of the NATS server."),
  credentialsFile: text(200).describe("File that holds the user's credentials."),
  stream: text(100).describe("JetStream stream that holds the logs."),
  subject: text(253).describe("NATS subject of the object's log."),
});
export const mlflow = z
  .object({ url: z.url().describe("Base URL of the tracking server."), experiment: text(200).describe("Name of the experiment.") })
  .optional();
export const owner = z
  .object({ kind: text(63), namespace: text(63), name: text(63), uid: text(64) })
  .describe("Object that the pod works for.");

/** What the sandbox must not reach, as `host:port` by IP address. */
export const probeTargets = z.object({ canary: text(300), dns: text(300), modelServer: text(300), apiServer: text(300), node: text(300) });
export type ProbeTargets = z.infer<typeof probeTargets>;

/** Least and most memory of one execution that a pod's input may say, in MiB. */
export const executionMiB = { least: 64, most: 65536 } as const;

export const resolvedSandbox = z.object({
  url: z.url().describe("Base URL of the runner."),
  tokenFile: text(200).describe("File that holds the runner's bearer token."),
  timeoutSeconds: whole(1, mostExecutionSeconds).describe("Timeout of one execution in seconds."),
  memoryMiB: whole(executionMiB.least, executionMiB.most).describe("Memory of one execution in MiB."),
  probeTargets: probeTargets.describe(
    "Addresses, as `host:port`, that the sandbox must not reach. The agent itself must reach the canary and the model server.",
  ),
});
export const model = z.object({
  url: z.url().describe("Base URL of the OpenAI-compatible API, ending in `/v1`."),
  base: text(253).describe("Served name of the base model."),
  name: text(253).describe("Served model name to ask for: the Adapter's name, or the base's."),
});

/** Termination message of every failure with a known reason. */
export const failure = z.object({ failure: z.object({ reason: text(63), message: text(2000) }) });
