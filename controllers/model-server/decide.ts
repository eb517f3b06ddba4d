import type { LoaderConfig } from "@rune/crds/contracts/loader";
import { ConditionType } from "@rune/crds/words/conditions";
import { type Outcome, progressing, ready, unchanged } from "kopf-ts";
import { drifted } from "../pods/drift.ts";
import type { KubeObject } from "../pods/manifest.ts";
import { podMissing } from "../pods/problems.ts";
import { blocked, firstOf } from "../shared/check.ts";
import { Reason } from "../shared/reasons.ts";
import { checks } from "./checks.ts";
import { baseModelToken, inputs, loaderDocument, statefulSet } from "./manifests.ts";
import { headlessService, networkPolicy, service } from "./network.ts";
import { type LoadPlan, loadPlanFor, type Placement, placements } from "./placement.ts";
import { engineBlocker, isPodReady, unreadySeconds } from "./pod-state.ts";
import { type AdapterState, baseDigestOf, statusOf } from "./status.ts";
import type { Engine, World } from "./world.ts";

/** Result of a pass: what the framework writes, and the requests to loaders that follow. */
export interface Decision {
  readonly outcome: Outcome;
  readonly moves: readonly { readonly engine: Engine; readonly move: LoadPlan }[];
}

const startingSeconds = 5;
const steadySeconds = 15;

export function decide(world: World, now: Date): Decision {
  if (world.server.metadata.deletionTimestamp) return { outcome: unchanged(), moves: [] };
  const wished = placements(world, baseDigestOf(world));
  const status = statusOf(world, wished, now);
  const blocker = firstOf(checks, world);
  if (blocker) return { outcome: blocked(blocker, status), moves: [] };
  const moves = movesOf(world, wished);
  const outcome = withAdapterNews(verdict(world, status), world, status.adapters ?? [], wished)
    .applying(...renewedToken(world), ...drifted(manifests(world, status.baseDigest), world.existing))
    .deleting(...stuckPods(world, now));
  if (moves.every(({ move }) => move.load.length + move.unload.length === 0)) return { outcome, moves };
  return { outcome: outcome.again(moves.every(isRepeated) ? startingSeconds : 1), moves };
}

/** All objects of a server except its token. */
export function manifests(
  { server, config, adminKeys }: Pick<World, "server" | "config" | "adminKeys">,
  baseDigest: string | undefined,
): KubeObject[] {
  const loader: LoaderConfig = loaderDocument(server, config, adminKeys);
  return [
    inputs(server, config, loader, baseDigest),
    networkPolicy(server, config),
    headlessService(server),
    service(server),
    statefulSet(server, config, loader),
  ];
}

const renewedToken = ({ server, stagerToken }: World) =>
  stagerToken ? [baseModelToken(server, stagerToken.token, stagerToken.renewal)] : [];

/** Whether a move only retries loads that failed before. */
function isRepeated({ engine, move }: Decision["moves"][number]): boolean {
  const known = new Set(engine.state?.adapters.map(({ name }) => name));
  return move.unload.length === 0 && move.load.every(({ metadata }) => known.has(metadata.name));
}

function movesOf(world: World, wished: readonly Placement[]): Decision["moves"] {
  return world.engines.flatMap((engine) => {
    if (!engine.state?.engine.ready || engine.pod.metadata.deletionTimestamp) return [];
    const move = loadPlanFor(engine.state, wished, { ...world, baseDigest: baseDigestOf(world) });
    return move.load.length + move.unload.length + move.answer.length > 0 ? [{ engine, move }] : [];
  });
}

/** Compares the server with its spec; it is never Ready without a serving engine. */
function verdict({ server, statefulSet: set, engines, refusal }: World, status: ReturnType<typeof statusOf>): Outcome {
  const asked = server.spec.replicas;
  const { readyReplicas: answering = 0, loadedAdapters: loaded } = status;
  const count = `${answering} of ${asked} engines answer`;
  if (asked === 0) {
    const said = { reason: Reason.ScaledToZero, message: "spec.replicas is 0, so nothing answers; scale it up to serve" };
    return ready(status, said).condition({ type: ConditionType.Ready, status: "False", ...said });
  }
  if (answering === 0) {
    const trouble = engines.map(({ pod }) => engineBlocker(pod)).find((found) => found !== null);
    if (trouble) return blocked(trouble, status).again(steadySeconds);
    if (set && refusal) return blocked(podMissing(set, refusal), status).again(steadySeconds);
    return progressing(Reason.NoEngineReady, `${count}; ${stageOf(engines)}`, status).again(startingSeconds);
  }
  if (answering >= asked && isRolledOut(set, asked)) {
    return ready(status, { message: `${count}, ${loaded} ${loaded === 1 ? "adapter is" : "adapters are"} loaded` }).again(steadySeconds);
  }
  const others = refusal ? `another gets no pod: ${refusal}` : (deniedBy(engines) ?? "the others are starting");
  return progressing(Reason.EnginesStarting, `${count}; ${others}`, status)
    .condition({ type: ConditionType.Ready, status: "True", reason: Reason.PartlyReady, message: count })
    .again(startingSeconds);
}

function isRolledOut(set: World["statefulSet"], asked: number): boolean {
  const { observedGeneration = -1, updatedReplicas = 0, currentRevision, updateRevision } = set?.status ?? {};
  const updated = currentRevision === updateRevision ? asked : updatedReplicas;
  return set !== undefined && observedGeneration >= (set.metadata.generation ?? 0) && updated >= asked;
}

/** A loader that answers and doesn't accept the operator's token. Tokens are valid for a short time. */
function deniedBy(engines: readonly Engine[]): string | undefined {
  const denied = engines.find(({ isDenied }) => isDenied);
  return (
    denied &&
    `the loader of pod ${denied.pod.metadata.name} refuses the operator's token: compare the clocks of their nodes; if they agree, the pod has other keys than the operator, so delete it`
  );
}

/** Startup progress, for the status message. */
function stageOf(engines: readonly Engine[]): string {
  if (engines.length === 0) return "their pods are being created";
  const denied = deniedBy(engines);
  if (denied) return denied;
  if (engines.every(({ state }) => !state)) return "the base model is being staged";
  return "vLLM is loading the base model";
}

/** A restart of the engine, with its adapters, takes less. */
const longestRestartSeconds = 300;

/**
 * A StatefulSet doesn't replace pods of an old revision that aren't ready; a corrected spec must not wait for them. One that
 * has served gets time to serve again: it is replaced by the new revision, which may be the broken one.
 */
export function stuckPods({ server, statefulSet: set, engines }: World, now: Date): KubeObject[] {
  const { updateRevision, currentRevision } = set?.status ?? {};
  if (!updateRevision || updateRevision === currentRevision) return [];
  const served = new Set(server.status?.engines?.flatMap(({ podUID, bootID }) => (bootID ? [podUID] : [])));
  const isGivenUp = (pod: Engine["pod"]) => !served.has(pod.metadata.uid ?? "") || unreadySeconds(pod, now) >= longestRestartSeconds;
  return engines
    .map(({ pod }) => pod)
    .filter(
      (pod) =>
        pod.metadata.labels?.["controller-revision-hash"] !== updateRevision &&
        !pod.metadata.deletionTimestamp &&
        !isPodReady(pod) &&
        isGivenUp(pod),
    );
}

/**
 * Adds conditions and events: whether the wanted adapters are loaded, refusals, and engine restarts. A wanted adapter
 * that doesn't exist has no digest, so it is in the condition alone.
 */
function withAdapterNews(outcome: Outcome, world: World, adapters: readonly AdapterState[], wished: readonly Placement[]): Outcome {
  const before = world.server.status;
  const wanted = adapters.filter(({ name }) => world.demands.some((demand) => demand.name === name));
  const missing = wished.flatMap(({ name, adapter, blocked }) => (adapter || !blocked ? [] : [{ name, ...blocked }]));
  const absent = wanted.find(({ state }) => state !== "Loaded") ?? missing[0];
  let told = outcome.condition({
    type: ConditionType.AdaptersLoaded,
    status: absent ? "False" : "True",
    reason: absent?.reason ?? Reason.AllLoaded,
    message: absent
      ? `${absent.name}: ${absent.message ?? absent.state}`
      : wanted.length > 0
        ? `all ${wanted.length} that are wanted are loaded`
        : "none is wanted",
  });
  for (const { name, state, reason, message } of adapters) {
    const old = before?.adapters?.find((entry) => entry.name === name)?.state;
    if (state === "Refused" && old !== state)
      told = told.event("Warning", Reason.AdapterRefused, `${name} was refused (${reason}): ${message}`);
    if (state === "Loaded" && old !== state) told = told.event("Normal", Reason.AdapterLoaded, `${name} is loaded`);
  }
  for (const { pod, state } of world.engines) {
    const old = before?.engines?.find(({ podUID }) => podUID === pod.metadata.uid);
    if (state && old?.bootID && state.engine.bootID && old.bootID !== state.engine.bootID) {
      told = told.event(
        "Warning",
        "EngineRestarted",
        `the engine of pod ${pod.metadata.name} was started again; its adapters are loaded again`,
      );
    }
  }
  return told;
}
