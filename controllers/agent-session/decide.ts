import type { Trajectory } from "@rune/crds/contracts/trajectory";
import type { AgentSession } from "@rune/crds/kinds/agent-session";
import { ConditionType } from "@rune/crds/words/conditions";
import { failed, isTerminal, isTrue, type KubeObject, type Outcome, progressing, succeeded, timestamp, unchanged, waiting } from "kopf-ts";
import {
  beginEpoch,
  epochStep,
  lingeringWorker,
  liveSandbox,
  nextEpoch,
  paused,
  proofTargetMissing,
  suspended,
  working,
} from "../epochs/epoch.ts";
import { isolationSummary, isolationVerified } from "../epochs/isolation.ts";
import { libraryMissing, sandboxObjects } from "../epochs/sandbox.ts";
import { blocked, type Check, firstOf, repairSeconds } from "../shared/check.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { Reason } from "../shared/reasons.ts";
import { requirementsMet } from "../shared/requires.ts";
import { adapterOn, isServed } from "../shared/serving.ts";
import { expire } from "../shared/time-to-live.ts";
import { truncateMessage } from "../shared/truncate-message.ts";
import { deadlineOf } from "./ending.ts";
import { hypernetworkFits, learningAtEnd, learnOn, stillLearns } from "./learning.ts";
import { agentObjects } from "./manifests.ts";
import { SessionReason } from "./reasons.ts";
import { chooseAdapter } from "./retrieval.ts";
import { trajectoryOf } from "./trajectory.ts";
import type { World } from "./world.ts";

const retrySeconds = 10;

/** Stores a trajectory; the framework calls it after the status is written. */
export type Seal = (trajectory: Trajectory) => Promise<void>;

const serverExists: Check<World> = ({ session, server }) =>
  server
    ? null
    : {
        reason: SessionReason.ServerMissing,
        message: `the ModelServer ${session.spec.serverRef.name} doesn't exist in this namespace; create it, or correct spec.serverRef in a new session`,
        retrySeconds,
      };
const serverReady: Check<World> = ({ server }) =>
  server && isTrue(server, ConditionType.Ready) && server.status?.baseDigest
    ? null
    : { reason: SessionReason.ServerNotReady, message: `waits for the ModelServer ${server?.metadata.name} to be Ready`, retrySeconds };
const libraryExists: Check<World> = ({ session, libraryExists: exists }) => (exists ? null : libraryMissing(session.spec.sandbox));

/** Requirements hold a session back only before it begins; they don't interrupt its work. */
const mayBegin: Check<World> = (world) => (world.session.status?.epoch ? null : requirementsMet(world));

const checks: Check<World>[] = [mayBegin, serverExists, serverReady, libraryExists, hypernetworkFits];

/** One step per pass: choice of memory → sandbox → agent → sealed trajectory. */
export function decide(world: World, config: OperatorConfig, seal: Seal, now: Date): Outcome {
  const { session } = world;
  if (session.metadata.deletionTimestamp) return unchanged();
  if (isTerminal(session)) return afterwards(world, config, now);
  if (world.ending) return end(world, seal);
  if (session.spec.suspend) return suspended(session, world);
  if ("unavailable" in world.log)
    return waiting(SessionReason.LogUnavailable, `the live log can't be read: ${world.log.unavailable}`, retrySeconds);
  const blocker = firstOf(checks, world);
  if (blocker) return blocked(blocker).again(repairSeconds);
  if (!session.status?.adapter) return choose(world);
  const loading = adapterLoading(world);
  if (loading) return loading;
  if (!world.admission.admitted) return waitForServer(world.admission, session.spec.serverRef.name);
  if (session.status.epoch) return work(world, config, now);
  return beginEpoch(session, world, config, "the sandbox is being created", { startTime: timestamp(now) });
}

/** The choice is frozen in status, which claims the adapter, before any pod exists. */
function choose({ session, server, adapters }: World): Outcome {
  const adapter = chooseAdapter(session, server?.status?.baseDigest ?? "", adapters);
  if (session.spec.adapter.policy === "Fixed" && !adapter.name) {
    const another = "create a new session with another adapter";
    if (adapter.reason === Reason.AdapterMissing)
      return waiting(adapter.reason, `${adapter.message} in this namespace; create it, or ${another}`, retrySeconds);
    return failed(adapter.reason, `${adapter.message}; ${another}`);
  }
  return progressing(SessionReason.AdapterChosen, adapter.message, { adapter })
    .event("Normal", SessionReason.AdapterChosen, adapter.message)
    .atOnce();
}

/** Waits until the claimed adapter is loaded; one that the server refused is dropped, and the status says so. */
function adapterLoading({ session, server, adapters }: World): Outcome | null {
  const chosen = session.status?.adapter;
  if (!chosen?.name || session.status?.epoch) return null;
  const state = adapterOn(server, chosen.name);
  if (isServed(state)) return null;
  if (!adapters.some(({ metadata }) => metadata.name === chosen.name)) return adapterGone(session, chosen.name);
  if (state?.state !== "Refused")
    return waiting(
      SessionReason.AdapterLoading,
      `waits for ${server?.metadata.name} to load ${chosen.name}${state?.message ? `: ${state.message}` : ""}`,
      repairSeconds,
    );
  const message = `${server?.metadata.name} refused ${chosen.name}: ${state.message ?? state.reason ?? "no reason given"}`;
  if (session.spec.adapter.policy === "Fixed") return failed(Reason.AdapterRefused, message);
  return progressing(Reason.AdapterRefused, `${message}; the base works without memory`, {
    adapter: { reason: Reason.AdapterRefused, message: truncateMessage(message) },
  })
    .event("Warning", Reason.AdapterRefused, message)
    .atOnce();
}

/** The chosen adapter was deleted before the work began: one that a person named may come back, another choice is made again. */
function adapterGone({ spec }: AgentSession, name: string): Outcome {
  const message = `the Adapter ${name} was deleted before the work began`;
  if (spec.adapter.policy === "Fixed")
    return waiting(Reason.AdapterMissing, `${message}; create it again, or create a new session with another adapter`, retrySeconds);
  return progressing(Reason.AdapterMissing, `${message}; the choice is made again`, { adapter: undefined })
    .event("Warning", Reason.AdapterMissing, message)
    .atOnce();
}

/** In words that don't change while it waits, so that a long queue writes nothing. The controller wakes it when a place is free. */
function waitForServer({ limit }: Extract<World["admission"], { admitted: false }>, server: string): Outcome {
  return waiting(SessionReason.ServerBusy, `${server} decodes for ${limit} sessions at once, and older ones come first`, repairSeconds);
}

function work(world: World, config: OperatorConfig, now: Date): Outcome {
  const { session } = world;
  const step = epochStep(world, session.status?.sandbox?.pod ?? "");
  switch (step.step) {
    case "Lost":
      return nextEpoch(session, world, config, step.message, now);
    case "CreateSandbox":
      return (
        paused(session, now) ??
        withIsolationCondition(world, progressing(Reason.SandboxStarting, "the sandbox is being created")).creating(
          ...sandboxObjects(sandboxRequest(world), config),
        )
      );
    case "AwaitSandbox":
      return withIsolationCondition(world, progressing(Reason.SandboxStarting, step.message));
    case "StartWorker":
      return startAgent(world, step, config);
    case "Working":
      return withIsolationCondition(world, working(world, progressing(SessionReason.Working, wordsOn(world), progressOf(world))));
    default:
      return step satisfies never;
  }
}

function startAgent(world: World, { ip, podUID }: { ip: string; podUID: string }, config: OperatorConfig): Outcome {
  const { session, server, targets, natsCredentials, runnerToken } = world;
  if (!server || !natsCredentials) return unchanged();
  if (!targets) return proofTargetMissing();
  const objects = agentObjects({
    session,
    server,
    epoch: session.status?.epoch ?? 1,
    sandboxIP: ip,
    targets,
    deadline: deadlineOf(session),
    natsCredentials,
    runnerToken,
    config,
  });
  return withIsolationCondition(
    world,
    progressing(SessionReason.Working, "the agent is being created", { sandbox: { ...session.status?.sandbox, podUID } }),
  ).creating(...objects);
}

const sandboxRequest = ({ session, runnerToken }: World) => ({
  owner: session as AgentSession & KubeObject & { metadata: { uid: string } },
  epoch: session.status?.epoch ?? 1,
  uid: session.status?.sandbox?.uid ?? 0,
  spec: session.spec.sandbox,
  caller: "agent" as const,
  token: runnerToken,
});

function wordsOn(world: World): string {
  const { session } = world;
  const programs = "summary" in world.log ? world.log.summary.programs : 0;
  return `round ${(session.status?.rounds ?? 0) + 1} of ${session.spec.attempts}, ${programs} programs executed`;
}

/** Progress in the log, as status. */
function progressOf({ log, session }: World): object {
  if ("unavailable" in log) return {};
  const { rounds, programs, lastError, isolation } = log.summary;
  return {
    rounds,
    programs,
    ...(lastError && { lastError }),
    ...(isolation && { isolation: isolationSummary(isolation) }),
    log: { subject: `rune.session.${session.metadata.uid}`, lastSequence: log.lastSequence },
  };
}

/** Adds the condition that depends on the log alone. */
function withIsolationCondition(world: World, outcome: Outcome): Outcome {
  if ("unavailable" in world.log) return outcome;
  return outcome.condition(isolationVerified(world.log.summary.isolation));
}

/** Whatever the ending: no agent lives on, credentials go, the log is sealed, and only then the session ends. */
function end(world: World, seal: Seal): Outcome {
  const { session, log, seal: state, ending, job, worker, agentWrites } = world;
  if (!ending) return unchanged();
  const running = worker.state === "Running" && job ? [job] : [];
  if ((agentWrites || running.length > 0) && !("summary" in log && log.summary.ended))
    return progressing(SessionReason.Sealing, `${ending.message}; the agent is being stopped`)
      .deleting(...running)
      .again(1);
  if ("unavailable" in log)
    return waiting(
      SessionReason.LogUnavailable,
      `the work is over (${ending.outcome}), and its log can't be read: ${log.unavailable}`,
      retrySeconds,
    );
  if (!state || "unavailable" in state)
    return waiting(
      Reason.RegistryUnavailable,
      `the work is over (${ending.outcome}), and its trajectory can't be stored: ${state?.unavailable ?? "not yet"}`,
      retrySeconds,
    );
  const status = { ...progressOf(world), outcome: ending.outcome };
  if (!state.stored) {
    const trajectory = trajectoryOf(session, log.records, ending.outcome);
    return withIsolationCondition(
      world,
      progressing(SessionReason.Sealing, `the work is over (${ending.outcome}); its trajectory is being stored`, status),
    )
      .deleting(...world.cleanup)
      .effect("seal", () => seal(trajectory))
      .atOnce();
  }
  return ended(world, { ...status, endTime: endTime(world), trajectory: { repository: state.repository, digest: state.digest } });
}

function endTime({ session, log }: World): string {
  const last = "records" in log ? log.records.at(-1)?.time : undefined;
  return timestamp(new Date(last ?? session.metadata.creationTimestamp));
}

function ended(world: World, status: { outcome: string; trajectory: { repository: string; digest: string }; endTime: string }): Outcome {
  const { ending } = world;
  if (!ending) return unchanged();
  const solved = ending.outcome === "Solved";
  const result = solved || ending.outcome === "Exhausted";
  const learning = learningAtEnd(world);
  const full = { ...status, ...learning?.status, sandbox: undefined };
  const outcome = result
    ? succeeded(full, { reason: ending.outcome, message: ending.message })
    : failed(ending.reason, `${ending.message}; the trajectory is sealed as ${status.trajectory.digest}`, full);
  const unlearnt = learning?.condition.reason === SessionReason.ServerMissing;
  const told = unlearnt ? outcome.event("Warning", SessionReason.ServerMissing, learning.condition.message) : outcome;
  return withIsolationCondition(world, learning ? told.condition(learning.condition) : told)
    .condition({ type: ConditionType.Solved, status: solved ? "True" : "False", reason: ending.outcome, message: ending.message })
    .condition({ type: ConditionType.TrajectorySealed, status: "True", reason: SessionReason.Stored, message: status.trajectory.digest })
    .event(result ? "Normal" : "Warning", ending.outcome, ending.message)
    .atOnce();
}

/**
 * An agent that has reported its end exits by itself; its Job and its logs stay for a while, unless another container
 * keeps the pod running. Everything else is deleted, the policy after the sandbox; from then on only changes of the Job
 * enqueue the session.
 */
function afterwards(world: World, config: OperatorConfig, now: Date): Outcome {
  const { session } = world;
  const pods = session.status?.epoch ? [...liveSandbox(world), ...lingeringWorker(world)] : [];
  const leftovers = [...pods, ...world.cleanup];
  const rest = stillLearns(world) ? unchanged().deleting(...leftovers) : expire(session, now, leftovers);
  return learnOn(rest, world, config);
}
