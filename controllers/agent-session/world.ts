import type { ProbeTargets } from "@rune/crds/contracts/pod";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import type { EpochWorld } from "../epochs/epoch.ts";
import type { ObservedRequirement } from "../shared/requires.ts";
import type { Admission } from "./admission.ts";
import type { LogSummary } from "./log-summary.ts";

/** The live log, or why it can't be read. */
export type LogState = { records: LogRecord[]; lastSequence: number; summary: LogSummary } | { unavailable: string };

/** The trajectory as it would be sealed now, and whether the registry has it. */
export type SealState = { repository: string; digest: string; stored: boolean } | { unavailable: string };

/** All input of a decision. */
export interface World extends EpochWorld {
  readonly session: AgentSession;
  readonly requirements: readonly ObservedRequirement[];
  readonly server: ModelServer | undefined;
  /** Those to choose from; the chosen one until the work begins; then none. */
  readonly adapters: readonly Adapter[];
  readonly libraryExists: boolean;
  readonly admission: Admission;
  /** Whether an agent of any epoch may still append to the log. */
  readonly agentWrites: boolean;
  /** undefined while a service that the isolation proof tries is missing. */
  readonly targets: ProbeTargets | undefined;
  readonly log: LogState;
  /** How the work ended, once it has. */
  readonly ending: { outcome: NonNullable<NonNullable<AgentSession["status"]>["outcome"]>; reason: string; message: string } | undefined;
  /** The TrainingRun that this session started. */
  readonly learning: TrainingRun | undefined;
  /** The TrainingRun whose hypernetwork should generate, until the work begins. */
  readonly hypernetworkRun: TrainingRun | undefined;
  readonly seal: SealState | undefined;
  /** Newly minted where the agent must be created. */
  readonly natsCredentials: string | undefined;
  readonly runnerToken: string;
}
