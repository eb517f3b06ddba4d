import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import { summarize } from "../agent-session/log-summary.ts";
import type { World } from "../agent-session/world.ts";
import { aCondition, aSession } from "./builders.ts";
import { digestOf } from "./objects.ts";

/** The input of a decision about a session, for its tests: a Ready server, and nothing begun. */
export const servedBase = digestOf("d");

export const aServer = {
  metadata: { name: "coder" },
  spec: { base: { oci: { repository: "rune/models/m", digest: digestOf("b") } } },
  status: { baseDigest: servedBase, conditions: [aCondition("Ready")] },
} as unknown as ModelServer;

export const logOf = (...records: LogRecord[]) => ({ records, lastSequence: records.length, summary: summarize(records) });

export function aSessionWorld(over: Partial<World> = {}): World {
  const nothing = {
    sandboxPod: undefined,
    job: undefined,
    targets: undefined,
    ending: undefined,
    seal: undefined,
    natsCredentials: undefined,
    learning: undefined,
    hypernetworkRun: undefined,
  };
  const fine = {
    requirements: [],
    server: aServer,
    adapters: [],
    libraryExists: true,
    admission: { admitted: true as const },
    agentWrites: false,
    takenUIDs: new Set<number>(),
    progress: 0,
    leftovers: [],
    cleanup: [],
    runnerToken: "t",
  };
  return { session: aSession(), sandbox: { state: "Absent" }, worker: { state: "Absent" }, log: logOf(), ...nothing, ...fine, ...over };
}
