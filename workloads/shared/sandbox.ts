import { proveIsolation } from "@rune/clients/runner/isolation";
import { Runner } from "@rune/clients/runner/runner";
import type { AgentJob } from "@rune/crds/contracts/agent";
import type { ExecuteRequest, TestsRequest } from "@rune/crds/contracts/runner";
import type { Execution } from "@rune/crds/contracts/session-log";
import type { Isolation } from "@rune/crds/fields/isolation";
import { secretAt } from "./secret.ts";

/** The sandbox of one epoch. */
export type Sandbox = {
  /** Answers an id that it has answered before with the stored result. */
  execute(program: ExecuteRequest): Promise<Execution>;
  /** Why the tests can't judge any program; empty where nothing speaks against them. */
  tryTests(tests: TestsRequest): Promise<string>;
  prove(): Promise<Isolation>;
};

export async function sandboxOf({ sandbox, epoch }: Pick<AgentJob, "sandbox" | "epoch">, signal: AbortSignal): Promise<Sandbox> {
  const runner = new Runner({ url: sandbox.url, token: await secretAt(sandbox.tokenFile), signal });
  return {
    execute: async (program) => (await runner.execute(program)).execution,
    tryTests: ({ entryPoint, tests }) => runner.tryTests({ entryPoint, tests }),
    prove: () => proveIsolation({ targets: sandbox.probeTargets, probe: (targets) => runner.probe(epoch, targets), signal }),
  };
}
