import type { Scope } from "@rune/crds/fields/scope";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import type { Cache } from "kopf-ts";
import { adapters, evolutionGenerations } from "../shared/resources.ts";
import { sameScope } from "../shared/scope.ts";
import type { Champion, Decision } from "./world.ts";

/** Whether an Adapter's status can't include a generation's decision yet. */
function isMissingInStatus({ refused, recorded, recordedTime }: Decision, adapter: Adapter): boolean {
  if (refused) return false;
  const { evidenceTime } = adapter.status ?? {};
  return !recorded || (recordedTime !== undefined && evidenceTime !== undefined && Date.parse(evidenceTime) <= Date.parse(recordedTime));
}

/**
 * Champions of a generation's namespace by status, corrected by other generations' decisions that no status shows yet.
 * Archived ones and those in deletion are among them.
 */
export function championsIn({ metadata: { namespace, uid } }: EvolutionGeneration, cache: Cache): Champion[] {
  const all = cache(adapters).list({ namespace });
  const byName = new Map(all.map((adapter) => [adapter.metadata.name, adapter]));
  const missing = cache(evolutionGenerations)
    .list({ namespace })
    .filter(({ metadata }) => metadata.uid !== uid)
    .flatMap(({ status }) =>
      (status?.decisions ?? []).flatMap((decision) => {
        const adapter = byName.get(decision.adapter);
        return adapter && isMissingInStatus(decision, adapter)
          ? [{ adapter, kind: decision.kind, scope: status?.promotion?.scope ?? {} }]
          : [];
      }),
    );
  const isLeaving = (adapter: Adapter, scope: Scope) =>
    missing.some((each) => each.kind === "Retirement" && each.adapter === adapter && sameScope(each.scope, scope));
  const shown = all.flatMap((adapter) => {
    const scope = adapter.status?.champion;
    return scope && !isLeaving(adapter, scope) ? [{ adapter, scope }] : [];
  });
  return [...shown, ...missing.flatMap(({ kind, adapter, scope }) => (kind === "Promotion" ? [{ adapter, scope }] : []))];
}

/** The champions of exactly this scope on this base; more than one only if two chains promoted at the same time. */
export const championsOf = (scope: Scope, base: string | undefined, champions: readonly Champion[]): Adapter[] =>
  holdersOf(scope, base, champions).filter((adapter) => !isAbsent(adapter));

/** Its archived champions and those in deletion: they would be champions again once restored. */
export const absentChampionsOf = (scope: Scope, base: string | undefined, champions: readonly Champion[]): Adapter[] =>
  holdersOf(scope, base, champions).filter(isAbsent);

const isAbsent = ({ metadata, status }: Adapter) => status?.archived === true || metadata.deletionTimestamp !== undefined;

function holdersOf(scope: Scope, base: string | undefined, champions: readonly Champion[]): Adapter[] {
  const found = champions.filter((champion) => sameScope(champion.scope, scope) && champion.adapter.spec.base.digest === base);
  return [...new Map(found.map(({ adapter }) => [adapter.metadata.name, adapter])).values()];
}
