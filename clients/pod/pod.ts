import { readFile, writeFile } from "node:fs/promises";
import { exit, specPath, terminationLog } from "@rune/crds/contracts/pod";
import { type ZodType, z } from "zod";
import { InferenceRefused } from "../inference/inference.ts";
import { RunnerRefused } from "../runner/runner.ts";

/** A failure with a known reason: an exit code, a word for programs and a sentence for people. */
export class PodFailure extends Error {
  override readonly name = "PodFailure";
  readonly code: number;
  readonly reason: string;
  constructor(code: number, reason: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.reason = reason;
  }
}

/** The task's tests can't judge any program; the task's author must correct them. */
export function testsUnusable(why: string, of = ""): PodFailure {
  return new PodFailure(exit.badInput, "TestsUnusable", `no program can be judged by the tests${of}: ${why}; correct them`);
}

export type PodPaths = { spec: string; terminationLog: string };
const paths: PodPaths = { spec: specPath, terminationLog: terminationLog.path };

/** JSON may write one character as six bytes. */
const longestMessage = 600;
/** Time after SIGTERM for a program to release its resources. */
const graceMilliseconds = 5000;

/** Names of errors that mean that something needed is unavailable: the operator retries. */
const unavailable: Readonly<Record<string, string>> = {
  Fenced: "Fenced",
  NatsUnavailable: "LogUnavailable",
  RunnerGone: "SandboxGone",
  ControlUnreachable: "ControlUnreachable",
  RegistryUnavailable: "RegistryUnavailable",
  InferenceUnavailable: "ModelServerUnavailable",
  Transient: "Unavailable",
};
/** The sandbox's refusals after which a new sandbox, with a new epoch, can continue. */
const refusedForNow: Readonly<Partial<Record<RunnerRefused["reason"], string>>> = {
  StaleEpoch: "Fenced",
  IsolationNotVerified: "SandboxGone",
};
/** Names of errors that no retry can fix. */
const permanent: Readonly<Record<string, number>> = {
  LogCorrupt: exit.dataError,
  BrokenLog: exit.dataError,
  ArtifactMissing: exit.badInput,
  DigestMismatch: exit.badInput,
  RegistryDenied: exit.badInput,
  RunnerRefused: exit.badInput,
  InferenceRefused: exit.badInput,
};

/** Maps an error to the pod contract: the exit code and the failure for the termination message. */
export function failureOf(error: unknown): { code: number; reason: string; message: string } {
  if (error instanceof PodFailure) return { code: error.code, reason: error.reason, message: error.message };
  if (!(error instanceof Error)) return { code: 1, reason: "InternalError", message: String(error) };
  const { name, message } = error;
  const away = reasonToWait(error);
  if (away) return { code: exit.unavailable, reason: away, message };
  const code = permanent[name];
  return code === undefined ? { code: 1, reason: "InternalError", message: `${name}: ${message}` } : { code, reason: name, message };
}

/** Why a retry may succeed, or undefined. */
function reasonToWait(error: Error): string | undefined {
  if (error instanceof RunnerRefused) return refusedForNow[error.reason];
  // A restarting engine serves its adapters a moment later than its base.
  if (error instanceof InferenceRefused && error.status === 404) return "ModelMissing";
  return unavailable[error.name];
}

/**
 * Runs a program according to the pod contract and resolves to its exit code: parses the spec, writes the result or the
 * failure as the termination message; SIGTERM aborts the signal and means exit code 143 without a message.
 */
export async function runPod<Job>(
  schema: ZodType<Job>,
  work: (job: Job, signal: AbortSignal) => Promise<unknown>,
  where: PodPaths = paths,
): Promise<number> {
  const terminating = new AbortController();
  const onTerminate = () => {
    terminating.abort(new Error("SIGTERM"));
    setTimeout(() => process.exit(exit.terminated), graceMilliseconds).unref();
  };
  process.once("SIGTERM", onTerminate);
  try {
    const result = await work(await readSpec(schema, where.spec), terminating.signal);
    await terminate(where, result);
    return exit.done;
  } catch (error) {
    if (terminating.signal.aborted) return exit.terminated;
    const { code, reason, message } = failureOf(error);
    console.error(
      JSON.stringify({ level: "error", code, reason, message, stack: code === 1 && error instanceof Error ? error.stack : undefined }),
    );
    await terminate(where, { failure: { reason, message: message.slice(0, longestMessage) } });
    return code;
  } finally {
    process.removeListener("SIGTERM", onTerminate);
  }
}

async function readSpec<Job>(schema: ZodType<Job>, path: string): Promise<Job> {
  const misconfigured = (why: string) =>
    new PodFailure(
      exit.misconfigured,
      "BadSpec",
      `${path} is not what this program reads: ${why}; operator and image are of different versions, roll both to one`,
    );
  const source = await readFile(path, "utf8").catch((error: Error) => {
    throw misconfigured(error.message);
  });
  try {
    return schema.parse(JSON.parse(source));
  } catch (error) {
    throw misconfigured(error instanceof z.ZodError ? z.prettifyError(error) : (error as Error).message);
  }
}

async function terminate(where: PodPaths, message: unknown): Promise<void> {
  const text = JSON.stringify(message);
  if (Buffer.byteLength(text) > terminationLog.bytes)
    throw new RangeError(`a termination message of ${Buffer.byteLength(text)} bytes: Kubernetes keeps ${terminationLog.bytes}`);
  await writeFile(where.terminationLog, text);
}
