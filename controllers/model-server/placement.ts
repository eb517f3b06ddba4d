import { type DemandVerdict, type HeldAdapter, type LoaderState, permanentRefusals } from "@rune/crds/contracts/loader";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { ConditionType } from "@rune/crds/words/conditions";
import { annotation } from "@rune/crds/words/labels";
import { isTrue } from "kopf-ts";
import { Reason } from "../shared/reasons.ts";
import type { Demand } from "./claims.ts";
import type { World } from "./world.ts";

/** A wanted adapter that gets a slot, or the reason why it gets none. */
export type Placement =
  | { readonly name: string; readonly adapter: Adapter; readonly blocked?: undefined }
  | {
      readonly name: string;
      readonly adapter: Adapter | undefined;
      readonly blocked: { state: "Pending" | "Refused"; reason: string; message: string };
    };

/** All demands in order; the first that fit get the slots. */
export function placements(world: Pick<World, "server" | "adapters" | "demands" | "engines">, baseDigest: string | undefined): Placement[] {
  const { server, adapters, demands } = world;
  const { slots, maxRank } = server.spec.adapters;
  const states = world.engines.flatMap(({ state }) => (state?.engine.ready ? [state] : []));
  const placed: string[] = [];
  return demands.map((demand) => {
    const adapter = adapters.get(demand.name);
    const blocked = adapter
      ? (unfit(adapter, demand, { baseDigest, maxRank, server: server.metadata.name }) ?? refused(adapter, states))
      : missing(demand);
    if (blocked || !adapter) return { name: demand.name, adapter, blocked: blocked ?? missing(demand) };
    if (placed.length >= slots) {
      const message = `${demand.by} wants ${demand.name}, but all ${slots} slots are taken by ${placed.join(", ")}; raise spec.adapters.slots, or wait until one isn't used any more`;
      return { name: demand.name, adapter, blocked: { state: "Pending", reason: Reason.NoAdapterSlot, message } };
    }
    placed.push(demand.name);
    return { name: demand.name, adapter };
  });
}

const missing = ({ name, by }: Demand) => ({
  state: "Pending" as const,
  reason: Reason.NotFound,
  message: `${by} wants Adapter ${name}, which doesn't exist`,
});

function unfit(
  adapter: Adapter,
  { name }: Pick<Demand, "name">,
  { baseDigest, maxRank, server }: { baseDigest: string | undefined; maxRank: number; server: string },
) {
  if (!isTrue(adapter, ConditionType.Ready))
    return { state: "Pending" as const, reason: Reason.AdapterNotReady, message: `Adapter ${name} isn't verified; see its conditions` };
  if (adapter.spec.rank > maxRank) {
    const message = `Adapter ${name} has rank ${adapter.spec.rank}, ModelServer ${server} accepts ${maxRank}; raise spec.adapters.maxRank`;
    return { state: "Refused" as const, reason: Reason.RankTooLarge, message };
  }
  if (baseDigest && adapter.spec.base.digest !== baseDigest) {
    const message = `Adapter ${name} was made for ${adapter.spec.base.name} (${adapter.spec.base.digest}), ModelServer ${server} serves ${baseDigest}; use a server of that base`;
    return { state: "Refused" as const, reason: Reason.BaseMismatch, message };
  }
  return null;
}

/** An adapter that every engine refused permanently doesn't occupy a slot. */
function refused(adapter: Adapter, states: readonly LoaderState[]) {
  const entries = states.map((state) => state.adapters.find(({ name }) => name === adapter.metadata.name));
  if (entries.length === 0 || !entries.every((entry) => entry && isHopeless(entry, adapter))) return null;
  return { state: "Refused" as const, reason: entries[0]?.reason ?? "Refused", message: entries[0]?.message ?? "every engine refused it" };
}

/** Requests for one engine. */
export interface LoadPlan {
  readonly unload: readonly string[];
  readonly load: readonly Adapter[];
  /** Responses to clients that wait for an adapter that isn't loaded. */
  readonly answer: readonly (DemandVerdict & { readonly name: string })[];
}

type Placing = Pick<World, "server" | "adapters" | "lastUses"> & { readonly baseDigest: string | undefined };

/**
 * Loads what is wanted and missing. Idle adapters are evicted for it, the least recently used first; they are unloaded
 * at once only if they are deleted, or archived without open requests. Adapters that clients request by name come last:
 * each gets a free slot, or that of an adapter without open requests.
 */
export function loadPlanFor(state: LoaderState, wished: readonly Placement[], world: Placing): LoadPlan {
  const { adapters } = world;
  const placed = wished.flatMap((wish) => (wish.blocked ? [] : [wish.adapter]));
  const held = state.adapters.filter((entry) => entry.state !== "Refused");
  const load = placed.filter(
    (adapter) => !held.some(({ name }) => name === adapter.metadata.name) && !state.adapters.some((entry) => isHopeless(entry, adapter)),
  );
  const idle = held.filter(({ name }) => !placed.some((adapter) => adapter.metadata.name === name));
  const gone = idle.filter((entry) => isGone(adapters.get(entry.name), entry));
  const leaving = byLeastUse(
    idle.filter((entry) => !gone.includes(entry)),
    world.lastUses,
  );
  const free = state.engine.slots - held.length + gone.length - load.length;
  const evicted = leaving.slice(0, Math.max(0, -free));
  const asked = askedFor(state, world, {
    taken: new Set([
      ...held.filter((entry) => !gone.includes(entry)).map(({ name }) => name),
      ...load.map(({ metadata }) => metadata.name),
    ]),
    free: Math.max(0, free),
    evictable: leaving.slice(evicted.length).filter(({ name, open }) => !open && !state.wanted.includes(name)),
    placed: placed.map(({ metadata }) => metadata.name),
  });
  return {
    unload: [...[...gone, ...evicted].map(({ name }) => name), ...asked.unload],
    load: [...load, ...asked.load],
    answer: asked.answer,
  };
}

function isGone(adapter: Adapter | undefined, { open }: HeldAdapter): boolean {
  if (!adapter || adapter.metadata.deletionTimestamp) return true;
  return adapter.status?.archived === true && !open;
}

type Room = { taken: ReadonlySet<string>; free: number; evictable: readonly HeldAdapter[]; placed: readonly string[] };

function askedFor(state: LoaderState, { server, adapters, baseDigest }: Placing, { taken, free, evictable, placed }: Room): LoadPlan {
  const { slots, maxRank } = server.spec.adapters;
  const [unload, load, answer]: [string[], Adapter[], (DemandVerdict & { name: string })[]] = [[], [], []];
  for (const name of state.wanted.filter((each) => !taken.has(each))) {
    const adapter = adapters.get(name);
    if (!adapter || adapter.metadata.deletionTimestamp) {
      const message = `there is no Adapter ${name} in namespace ${server.metadata.namespace}; kubectl get adapters lists those that may be asked for`;
      answer.push({ name, message });
      continue;
    }
    if (adapter.status?.archived) {
      answer.push({ name, message: `Adapter ${name} is archived; annotate it with ${annotation.restore}="<why>" to bring it back` });
      continue;
    }
    const blocked = unfit(adapter, { name }, { baseDigest, maxRank, server: server.metadata.name });
    if (blocked) answer.push({ name, message: blocked.message, ...(blocked.state === "Pending" && { retrySeconds: 5 }) });
    else if (load.length < free + evictable.length) {
      const leaver = evictable[load.length - free];
      if (leaver) unload.push(leaver.name);
      load.push(adapter);
    } else answer.push({ name, ...noSlot(name, slots, placed) });
  }
  return { unload, load, answer };
}

function noSlot(name: string, slots: number, placed: readonly string[]): DemandVerdict {
  const message = `all ${slots} slots of this server are in use, so ${name} can't be loaded now; ask again, or raise spec.adapters.slots of the ModelServer`;
  return placed.length < slots
    ? { message, retrySeconds: 5 }
    : { message: `${message}; sessions, evaluations and residents keep ${placed.join(", ")}`, retrySeconds: 15 };
}

/** The least recently used first; adapters with open requests last. */
function byLeastUse(entries: readonly HeldAdapter[], lastUses: World["lastUses"]): HeldAdapter[] {
  const lastUse = ({ name, lastUsed = "" }: HeldAdapter) => [lastUsed, lastUses.get(name) ?? ""].toSorted().at(-1) ?? "";
  return entries.toSorted((a, b) => Number((a.open ?? 0) > 0) - Number((b.open ?? 0) > 0) || lastUse(a).localeCompare(lastUse(b)));
}

/** Whether the same bytes would be refused again. */
function isHopeless(entry: HeldAdapter, { metadata, spec }: Adapter): boolean {
  if (entry.name !== metadata.name || entry.state !== "Refused" || !entry.reason) return false;
  return entry.digest === spec.artifact.digest && permanentRefusals.includes(entry.reason);
}
