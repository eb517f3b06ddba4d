import type { CheckName, CheckResult, EnvironmentCheck, NodeStatus } from "@rune/crds/kinds/environment-check";
import { ConditionType } from "@rune/crds/words/conditions";
import {
  type DynamicObject,
  getCondition,
  isTerminal,
  type KubeObject,
  type Outcome,
  progressing,
  succeeded,
  timestamp,
  unchanged,
  waiting,
} from "kopf-ts";
import { hasEnded } from "../epochs/worker.ts";
import { isResolved } from "../pods/base-model.ts";
import { blocked, type Check, firstOf, repairSeconds } from "../shared/check.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { Reason } from "../shared/reasons.ts";
import { requirementsMet } from "../shared/requires.ts";
import { adapterOn, detailOf, isServed } from "../shared/serving.ts";
import { foreignRepository } from "../shared/tenancy.ts";
import { expire } from "../shared/time-to-live.ts";
import { truncateMessage } from "../shared/truncate-message.ts";
import { known, newFindings, nodesDone, wantedChecks } from "./findings.ts";
import { adapterOf, askObjects, nodeObjects, serverOf } from "./manifests.ts";
import { resultOf, wantedOfNode } from "./nodes.ts";
import { CheckReason } from "./reasons.ts";
import type { World } from "./world.ts";

const retrySeconds = 10;

const ownBase: Check<World> = ({ check: { metadata, spec } }) => foreignRepository(spec.base.oci?.repository, metadata.namespace);
const nodesThere: Check<World> = ({ check, chosen }) =>
  chosen?.nodes.length === 0 && wantedOfNode(check).length > 0
    ? {
        reason: CheckReason.NoNodes,
        message:
          "no node carries the labels of spec.nodeSelector without a taint that spec.tolerations doesn't tolerate; label one, or create a new check that selects others",
        retrySeconds: 60,
      }
    : null;
const checks: Check<World>[] = [ownBase, requirementsMet, nodesThere];

/**
 * Step by step: nodes and server → adapter → its word → end. Each result is in status before anything depends on it.
 */
export function decide(world: World, config: OperatorConfig, now: Date): Outcome {
  const { check } = world;
  if (check.metadata.deletionTimestamp) return unchanged();
  if (isTerminal(check)) return expire(check, now, [...leftovers(world), ...world.spentLogins]);
  if (!check.status?.startTime) return check.spec.suspend ? suspended(world) : begin(world, now);
  const news = newFindings(world, config, now);
  if (news)
    return progressing(CheckReason.CheckingNodes, progressOf(check, news.checks ?? []), news)
      .deleting(...idleJobs(news.nodes ?? [], world))
      .atOnce();
  if (wantedChecks(check).every((name) => known(check, name))) return conclude(world, []);
  const seconds = secondsLeft(check, now);
  const next = step(world, config, seconds);
  if (seconds <= 0) return conclude(world, overdue(check, next.message));
  return check.spec.suspend ? suspended(world) : next.deleting(...idleJobs(check.status.nodes ?? [], world)).again(seconds);
}

export const secondsLeft = ({ spec, status }: EnvironmentCheck, now: Date): number =>
  spec.deadlineSeconds - (now.getTime() - Date.parse(status?.startTime ?? now.toISOString())) / 1000;

/** Freezes nodes and word before anything is created. */
function begin(world: World, now: Date): Outcome {
  const { check, chosen, nonce } = world;
  const blocker = firstOf(checks, world);
  if (blocker) return blocked(blocker).again(repairSeconds);
  if (!chosen || !nonce) return unchanged();
  const nodes = wantedOfNode(check).length > 0 ? chosen.nodes : [];
  const message = nodes.length === 1 ? `looks at node ${nodes[0]?.name}` : `looks at ${nodes.length} nodes`;
  const more = chosen.omitted > 0 ? { omittedNodes: chosen.omitted } : {};
  return progressing(CheckReason.CheckingNodes, message, { startTime: timestamp(now), nonce, nodes, ...more }).atOnce();
}

function progressOf(check: EnvironmentCheck, found: readonly CheckResult[]): string {
  const wanted = wantedChecks(check);
  return `${found.length} of ${wanted.length} checks are done${found.length > 0 ? `: ${found.map(({ name, result }) => `${name} ${result}`).join(", ")}` : ""}`;
}

/** The next step while results are missing; its message says what is awaited. */
function step(world: World, config: OperatorConfig, seconds: number): Outcome {
  const { check } = world;
  // A dedicated server needs the GPUs that the nodes' Jobs hold, so it comes after them.
  if (!nodesDone(check)) return lookAtNodes(world, config, seconds);
  if (!known(check, "Serving") && wantedChecks(check).includes("Serving")) return awaitServer(world);
  if (!known(check, "Adapter") && check.status?.adapter) return awaitWord(world, config, seconds);
  return awaitKnownGood(world);
}

function lookAtNodes(world: World, config: OperatorConfig, seconds: number): Outcome {
  const { check, work, base, registryToken } = world;
  const nodes = check.status?.nodes ?? [];
  const absent = nodes.filter((node, index) => !node.checks && work[index]?.state === "Absent");
  // The identity of a base outside the registry is known once it is staged: the program on the node reports it.
  if (absent.length > 0 && check.spec.base.oci && !isResolved(base))
    return waiting(Reason.BaseModelUnavailable, base.unresolved, retrySeconds);
  const lost = work.flatMap((each) => (each.state === "Lost" && each.again ? [each] : []));
  const objects = registryToken
    ? absent.flatMap((node) => nodeObjects({ check, config, remainingSeconds: seconds }, node, base, registryToken))
    : [];
  const done = nodes.filter((node) => node.checks).length;
  const trouble = work.map((each) => (each.state === "Running" ? each.trouble : null)).find((each) => each !== null) ?? lost[0];
  const outcome = waiting(
    CheckReason.CheckingNodes,
    `${done} of ${nodes.length} nodes are done${trouble ? `; ${trouble.message}` : ""}`,
    retrySeconds,
  )
    .creating(...objects)
    .deleting(...lost.map(({ job }) => job));
  // The condition is overwritten as soon as the next Job runs; an Event remains.
  return lost.reduce(
    (all, { job, message }) => all.event("Warning", CheckReason.JobLost, `Job ${job.metadata.name} is created again: ${message}`),
    outcome,
  );
}

function awaitServer({ check, server }: World): Outcome {
  const { serverRef } = check.spec.server;
  if (serverRef && !server)
    return waiting(CheckReason.ServerMissing, `the ModelServer ${serverRef.name} doesn't exist; create it`, retrySeconds);
  if (!server) return progressing(CheckReason.ServerNotReady, "creates a ModelServer of its own").creating(serverOf(check));
  const words = getCondition(server, ConditionType.Ready)?.message ?? "it was just created";
  return waiting(CheckReason.ServerNotReady, `waits for the ModelServer ${server.metadata.name} to be Ready: ${words}`, retrySeconds);
}

/** Adapter → claim → loaded → question. */
function awaitWord(world: World, config: OperatorConfig, seconds: number): Outcome {
  const { check, server, adapter, ask } = world;
  const made = check.status?.adapter;
  if (!made) return unchanged();
  if (!server) return awaitServer(world);
  if (!adapter) return progressing(CheckReason.AdapterLoading, `creates the Adapter ${made.name}`).creating(adapterOf(check, made));
  const loading = claimed(world, made.name);
  if (loading) return loading;
  if (ask.state === "Absent")
    return progressing(CheckReason.Asking, `asks ${server.metadata.name} for the word`).creating(
      ...askObjects({ check, config, remainingSeconds: seconds }, server, made.name),
    );
  const asking = `asks ${server.metadata.name} for the word`;
  if (ask.state === "Lost")
    return waiting(CheckReason.Asking, `${asking}; it couldn't be asked: ${ask.message}`, retrySeconds).deleting(ask.job);
  const trouble = ask.state === "Running" && ask.trouble ? `; ${ask.trouble.message}` : "";
  return waiting(CheckReason.Asking, `${asking}${trouble}`, retrySeconds);
}

function awaitKnownGood(world: World): Outcome {
  const name = world.check.spec.knownGood?.adapter ?? "";
  if (!world.knownGoodExists) return waiting(Reason.AdapterMissing, `the Adapter ${name} of spec.knownGood doesn't exist`, retrySeconds);
  return claimed(world, name) ?? waiting(CheckReason.AdapterLoading, `waits for the fingerprint of ${name}`, retrySeconds);
}

/** Claims an adapter on the server and waits until it is loaded; null once it is. */
function claimed(world: World, adapter: string): Outcome | null {
  const { check, server } = world;
  if (!server) return awaitServer(world);
  const { name } = server.metadata;
  if (check.status?.claim?.adapter !== adapter)
    return progressing(CheckReason.AdapterLoading, `claims ${adapter} of ${name}`, { claim: { server: name, adapter } }).atOnce();
  const state = adapterOn(server, adapter);
  if (isServed(state)) return null;
  return waiting(CheckReason.AdapterLoading, `waits for ${name} to load ${adapter}${detailOf(state)}`, retrySeconds);
}

/** Results that are missing at the deadline are unknown, with what was awaited as the reason. */
function overdue(check: EnvironmentCheck, message: string): CheckResult[] {
  const why = truncateMessage(`spec.deadlineSeconds (${check.spec.deadlineSeconds} s) were over: ${message}`);
  return wantedChecks(check)
    .filter((name) => !known(check, name))
    .map((name) => resultOf(name, "Unknown", why));
}

/** Writes the results, then deletes helper objects. As with an evaluation's verdict, a failure never affects Ready. */
function conclude(world: World, late: readonly CheckResult[]): Outcome {
  const { check } = world;
  const found = wantedChecks(check).flatMap((name: CheckName) => known(check, name) ?? late.find((each) => each.name === name) ?? []);
  const verdict = verdictOf(found);
  return succeeded({ checks: found, claim: undefined }, verdict)
    .condition({ type: ConditionType.ChecksPassed, status: verdict.status, reason: verdict.reason, message: verdict.message })
    .event(verdict.status === "True" ? "Normal" : "Warning", verdict.reason, verdict.message)
    .deleting(...leftovers(world));
}

function verdictOf(found: readonly CheckResult[]): { status: "True" | "False" | "Unknown"; reason: string; message: string } {
  const of = (result: CheckResult["result"]) => found.filter((each) => each.result === result);
  const told = (those: readonly CheckResult[]) => those.map(({ name, message }) => `${name}: ${message}`).join("; ");
  if (of("Fail").length > 0) return { status: "False", reason: CheckReason.SomeFailed, message: told(of("Fail")) };
  if (of("Unknown").length > 0) return { status: "Unknown", reason: CheckReason.SomeUnknown, message: told(of("Unknown")) };
  const names = (those: readonly CheckResult[]) => those.map(({ name }) => name).join(", ");
  const needless = of("NotApplicable").length > 0 ? `; not applicable: ${names(of("NotApplicable"))}` : "";
  return { status: "True", reason: CheckReason.AllPassed, message: `passed: ${names(of("Pass"))}${needless}` };
}

/** What a finished check no longer needs: its server, its Adapter, and running Jobs. */
function leftovers({ ownServer, adapter, jobs }: World): KubeObject[] {
  return [...(ownServer ? [ownServer] : []), ...(adapter ? [adapter] : []), ...jobs.filter((job) => !hasEnded(job))].filter(
    ({ metadata }) => !metadata.deletionTimestamp,
  );
}

/** Jobs of nodes whose checks already have results, because there was no room for the Job. */
const idleJobs = (nodes: readonly NodeStatus[], { work }: World): DynamicObject[] =>
  work.flatMap((each, index) =>
    nodes[index]?.checks && each.state === "Running" && !each.job.metadata.deletionTimestamp ? [each.job] : [],
  );

/** Releases the GPUs and keeps the results. The deadline keeps running. */
function suspended(world: World): Outcome {
  const message = "spec.suspend is true; set it back to go on with what isn't known yet";
  return waiting(Reason.Suspended, message, repairSeconds).deleting(...leftovers(world));
}
