import type { Adapter } from "@rune/crds/adapter";
import { type HeldAdapter, type LoaderState, permanentRefusals } from "@rune/crds/loader-api";
import { isTrue } from "kopf-ts";
import { Reason } from "../reasons.ts";
import type { Demand } from "./claims.ts";
import type { World } from "./world.ts";

/** A wanted adapter: one of those that get a slot, or why it gets none. */
export type Wish =
  | { readonly name: string; readonly adapter: Adapter; readonly blocked?: undefined }
  | {
      readonly name: string;
      readonly adapter: Adapter | undefined;
      readonly blocked: { state: "Pending" | "Refused"; reason: string; message: string };
    };

/** Every demand in order, with the first that fit given the slots. */
export function wishes(world: Pick<World, "server" | "adapters" | "demands" | "engines">, baseDigest: string | undefined): Wish[] {
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
  { name }: Demand,
  { baseDigest, maxRank, server }: { baseDigest: string | undefined; maxRank: number; server: string },
) {
  if (!isTrue(adapter, "Ready"))
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

/** An adapter that every engine refused for good doesn't keep a slot from others. */
function refused(adapter: Adapter, states: readonly LoaderState[]) {
  const entries = states.map((state) => state.adapters.find(({ name }) => name === adapter.metadata.name));
  if (entries.length === 0 || !entries.every((entry) => entry && isHopeless(entry, adapter))) return null;
  return { state: "Refused" as const, reason: entries[0]?.reason ?? "Refused", message: entries[0]?.message ?? "every engine refused it" };
}

/** What to ask of one engine now. */
export interface Move {
  readonly unload: readonly string[];
  readonly load: readonly Adapter[];
}

/** Loads what is wanted and missing; idle adapters make room, the least recently used first, and leave at once only when they are deleted. */
export function moveOf(state: LoaderState, wished: readonly Wish[], { adapters, lastUses }: Pick<World, "adapters" | "lastUses">): Move {
  const placed = wished.flatMap((wish) => (wish.blocked ? [] : [wish.adapter]));
  const held = state.adapters.filter((entry) => entry.state !== "Refused");
  const load = placed.filter(
    (adapter) => !held.some(({ name }) => name === adapter.metadata.name) && !state.adapters.some((entry) => isHopeless(entry, adapter)),
  );
  const idle = held.filter(({ name }) => !placed.some((adapter) => adapter.metadata.name === name));
  const gone = idle.filter(({ name }) => !adapters.has(name) || adapters.get(name)?.metadata.deletionTimestamp);
  const leastRecent = idle
    .filter((entry) => !gone.includes(entry))
    .toSorted((a, b) => (lastUses.get(a.name) ?? "").localeCompare(lastUses.get(b.name) ?? ""));
  const free = state.engine.slots - held.length + gone.length;
  const evicted = leastRecent.slice(0, Math.max(0, load.length - free));
  return { unload: [...gone, ...evicted].map(({ name }) => name), load };
}

/** The same bytes would be refused again. */
function isHopeless(entry: HeldAdapter, { metadata, spec }: Adapter): boolean {
  if (entry.name !== metadata.name || entry.state !== "Refused" || !entry.reason) return false;
  return entry.digest === spec.artifact.digest && permanentRefusals.includes(entry.reason);
}
