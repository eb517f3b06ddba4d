import type { HeldAdapter } from "@rune/crds/contracts/loader";
import { type ModelServer, mostListed } from "@rune/crds/kinds/model-server";
import { timestamp } from "kopf-ts";
import { isResolved } from "../pods/base-model.ts";
import { Reason } from "../shared/reasons.ts";
import { serverURL } from "../shared/serving.ts";
import { truncateMessage } from "../shared/truncate-message.ts";
import { podLabels } from "./manifests.ts";
import type { Placement } from "./placement.ts";
import { isPodReady, stagedDigest } from "./pod-state.ts";
import type { Engine, World } from "./world.ts";

type Status = NonNullable<ModelServer["status"]>;
export type AdapterState = NonNullable<Status["adapters"]>[number];
export type EngineState = NonNullable<Status["engines"]>[number];

/** Sessions and evaluations go on once their adapter is loaded, and end where it is refused, so these are never cut off. */
const order: readonly AdapterState["state"][] = ["Loaded", "Refused", "Pending"];

/** The identity of the base model, frozen once it is known. */
export function baseDigestOf({ server, base, engines }: Pick<World, "server" | "base" | "engines">): string | undefined {
  const staged = engines.flatMap(({ pod }) => stagedDigest(pod) ?? [])[0];
  return server.status?.baseDigest ?? (base && isResolved(base) ? base.digest : staged);
}

/** An engine that serves completions with the right base, in a pod that its Service sends requests to. */
export function isServing({ pod, state }: Engine, baseDigest: string | undefined): boolean {
  const same = !baseDigest || !state?.engine.baseDigest || state.engine.baseDigest === baseDigest;
  return state?.engine.ready === true && same && !pod.metadata.deletionTimestamp && isPodReady(pod);
}

export function statusOf(world: World, wished: readonly Placement[], now: Date): Omit<Status, "conditions" | "observedGeneration"> {
  const { server, statefulSet, engines } = world;
  const baseDigest = baseDigestOf(world);
  const adapters = adapterStates(world, wished);
  return {
    baseDigest,
    replicas: statefulSet?.status?.replicas ?? 0,
    readyReplicas: engines.filter((engine) => isServing(engine, baseDigest)).length,
    selector: Object.entries(podLabels(server))
      .map(([name, value]) => `${name}=${value}`)
      .join(","),
    url: serverURL(server.metadata),
    loadedAdapters: adapters.filter(({ engines }) => engines > 0).length,
    adapters: adapters.toSorted((a, b) => order.indexOf(a.state) - order.indexOf(b.state)).slice(0, mostListed),
    engines: engines.slice(0, mostListed).map((engine) => engineState(engine, server.status?.engines ?? [], baseDigest, now)),
  };
}

/** `since` changes only with the engine's process. */
function engineState(engine: Engine, before: readonly EngineState[], baseDigest: string | undefined, now: Date): EngineState {
  const { name: pod, uid: podUID = "" } = engine.pod.metadata;
  const old = before.find((entry) => entry.podUID === podUID);
  const bootID = engine.state?.engine.bootID || old?.bootID || "";
  const since = bootID && bootID === old?.bootID ? old.since : bootID ? timestamp(now) : undefined;
  return { pod, podUID, bootID, ready: isServing(engine, baseDigest), ...(since && { since }) };
}

/** State of every wanted adapter, and of others that are still loaded. */
function adapterStates({ engines, adapters }: World, wished: readonly Placement[]): AdapterState[] {
  const held = engines.flatMap(({ state }) => (state?.engine.ready ? state.adapters : []));
  const names = new Set(wished.map(({ name }) => name));
  const idle = [...new Set(held.filter(({ name, state }) => state === "Loaded" && !names.has(name)).map(({ name }) => name))].sort();
  return [
    ...wished.flatMap((wish) =>
      wish.adapter
        ? [
            wishedState(
              wish,
              held.filter(({ name }) => name === wish.name),
            ),
          ]
        : [],
    ),
    ...idle.map((name) => {
      const entries = held.filter((entry) => entry.name === name && entry.state === "Loaded");
      const digest = entries[0]?.digest ?? adapters.get(name)?.spec.artifact.digest ?? "";
      return { name, digest, state: "Loaded" as const, engines: entries.length, ...canaryOf(entries) };
    }),
  ];
}

function wishedState(wish: Placement, held: readonly HeldAdapter[]): AdapterState {
  const digest = wish.adapter?.spec.artifact.digest ?? "";
  const loaded = held.filter((entry) => entry.state === "Loaded" && entry.digest === digest);
  const common = { name: wish.name, digest, engines: loaded.length, ...canaryOf(held) };
  if (loaded.length > 0) return { ...common, state: "Loaded" };
  if (wish.blocked) return { ...common, ...wish.blocked, message: truncateMessage(wish.blocked.message) };
  const refusal = held.find((entry) => entry.state === "Refused");
  if (refusal) return { ...common, state: "Pending", reason: refusal.reason, message: refusal.message };
  return { ...common, state: "Pending", reason: Reason.Loading, message: "waits for an engine to load it" };
}

function canaryOf(entries: readonly HeldAdapter[]): Pick<AdapterState, "canary"> {
  const answers = entries.flatMap(({ canary }) => canary ?? []);
  const canary = answers.find((answer) => answer === "Mismatched") ?? answers.find((answer) => answer === "Matched") ?? answers[0];
  return canary ? { canary } : {};
}
