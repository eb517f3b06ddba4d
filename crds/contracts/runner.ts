import { z } from "zod";
import { text, whole } from "../fields/field.ts";
import { mostExecutionSeconds } from "../fields/sandbox.ts";
import { probeTargets } from "./pod.ts";
import { execution } from "./session-log.ts";

/** Where a sandbox's pod has the runner's token, what programs may write, and the library on their import path. */
export const sandboxPath = { token: "/rune/token", out: "/workspace/out", library: "/workspace/lib" } as const;

/** What the environment tells the runner. `withoutLandlock` has one value. */
export const runnerVariable = { tokenFile: "RUNE_RUNNER_TOKEN_FILE", withoutLandlock: "RUNE_SANDBOX_WITHOUT_LANDLOCK" } as const;
/** That the sandbox's runtime class takes Landlock's place. */
export const landlockSubstitute = "substitute-runtime";

/** Where the runner is asked; all but `health` want the bearer token. */
export const runnerPath = { health: "/healthz", probe: "/probe", execute: "/execute", tests: "/tests" } as const;

/** Bytes of a request that are read. */
export const mostRequestBytes = 4194304;

/** `POST /execute`. A known `id` is answered with the result that is stored under it. */
export const executeRequest = z.object({
  id: z
    .string()
    .regex(/^[A-Za-z0-9._:-]{1,128}\/[0-9]{1,9}(\/[0-9]{1,9})?$/)
    .describe("Identifier of the execution: `<uid>/<n>` or `<uid>/<n>/<k>`. A known one gets the stored result."),
  epoch: whole(0, Number.MAX_SAFE_INTEGER).describe("Epoch of the requester. Requests of an earlier epoch than the latest are refused."),
  entryPoint: z.string().describe("Name of the function or class that the tests use."),
  program: z.string(),
  tests: z.string(),
  timeoutSeconds: z
    .number()
    .positive()
    .max(mostExecutionSeconds)
    .describe("Timeout in seconds, after which the whole process group is killed."),
  memoryMiB: whole(64, 1048576).describe("Memory of the program in MiB."),
  outputBytes: whole(0, 4194304)
    .default(65536)
    .describe("Maximum size of each output of the program in bytes; a program that writes more is ended."),
});
export type ExecuteRequest = z.input<typeof executeRequest>;

/** Answer to `POST /execute`. */
export const executeAnswer = execution.extend({ stdout: z.string(), stderr: z.string() });

/** `POST /tests`: whether a program can be judged by these tests at all. */
export const testsRequest = executeRequest.pick({ entryPoint: true, tests: true });
export type TestsRequest = z.infer<typeof testsRequest>;
/** Its answer; `error` is empty where nothing speaks against them. */
export const testsAnswer = z.object({ usable: z.boolean(), error: z.string() });

/** `POST /probe`: what the sandbox should try to reach, by IP address. Answered with `isolation`. */
export const probeRequest = z.object({ epoch: whole(0, Number.MAX_SAFE_INTEGER), targets: probeTargets });
export type ProbeRequest = z.infer<typeof probeRequest>;

/** Why the runner refuses, by the status of its answer. */
export const runnerRefusal = {
  /** The request isn't one of the schemas above. */
  BadRequest: 400,
  /** The bearer token is missing, or another sandbox's. */
  Unauthorized: 401,
  /** No such path. */
  NotFound: 404,
  /** A newer epoch has this sandbox. */
  StaleEpoch: 409,
  /** The id stands for another request. */
  IdReused: 409,
  /** No Content-Length. */
  LengthRequired: 411,
  /** Nothing is run before isolation is proven. */
  IsolationNotVerified: 412,
  /** The body is larger than what is read. */
  TooLarge: 413,
  /** An execution runs, and as many wait as may. */
  Busy: 429,
  /** The runner failed and ends. */
  Internal: 500,
  /** The sandbox itself failed: nothing is known of the program, and nothing stored. */
  SandboxUnavailable: 503,
  /** All that is stored is of this epoch, and there is no room. */
  ResultsFull: 507,
} as const;
/** Body of a refusal. */
export const refusalAnswer = z.object({ reason: text(63), message: z.string() }).partial();
