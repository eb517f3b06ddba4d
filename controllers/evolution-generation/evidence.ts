import { evidenceTag } from "@rune/clients/registry/evidence";
import type { Evidence } from "@rune/crds/contracts/evidence";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { rateOf } from "../evidence/interval.ts";
import { type PieceState, stateOf } from "../evidence/state.ts";
import type { Services } from "../shared/services.ts";
import { isOpen } from "./steps.ts";
import type { Decision } from "./world.ts";

/** Stores a piece of evidence in an adapter's repository; idempotent, by its tag. */
export type StoreEvidence = (repository: string, evidence: Evidence) => Promise<unknown>;

/** The tag of a decision's evidence: unique per kind, adapter and generation. */
export const tagOf = ({ metadata }: EvolutionGeneration, { digest, kind }: Pick<Decision, "digest" | "kind">): string =>
  evidenceTag(digest, kind, metadata.uid);

/** A decision as evidence: a pure function of status, so that storing it again stores the same bytes. */
export function evidenceOf(generation: EvolutionGeneration, decision: Decision): Evidence {
  const { namespace, name, uid } = generation.metadata;
  const { adapter, digest, time, kind, why } = decision;
  const header = {
    schema: "rune.dev/evidence/v1" as const,
    adapter: { name: adapter, digest },
    by: { kind: "EvolutionGeneration" as const, namespace, name, uid },
    time,
  };
  const { promotion, children = [] } = generation.status ?? {};
  switch (kind) {
    case "Archival":
      return { kind, ...header, why };
    case "Promotion": {
      const { tier = "Task", scope = {}, delta } = promotion ?? {};
      const nothing = { estimate: "0", lower: "0", upper: "0" };
      return { kind, ...header, tier, scope, over: beaten(generation), delta: rateOf(delta ?? nothing) };
    }
    case "Retirement": {
      const successor = children.find((child) => child.adapter === promotion?.candidate);
      const { adapter: of = "", digest: by = digest } = successor ?? {};
      return { kind, ...header, scope: promotion?.scope ?? {}, successor: { name: of, digest: by } };
    }
    default:
      return kind satisfies never;
  }
}

/** Looks up each decision to be recorded. A repository that is unavailable doesn't affect the others. */
export async function readRecords(generation: EvolutionGeneration, services: Services): Promise<ReadonlyMap<string, PieceState>> {
  const records = new Map<string, PieceState>();
  const away = new Set<string>();
  for (const decision of generation.status?.decisions?.filter(isOpen) ?? []) {
    const { repository } = decision;
    if (away.has(repository)) continue;
    const registry = services.registry(generation.metadata.namespace, repository, ["pull"]);
    const state = await stateOf(registry, repository, evidenceOf(generation, decision)).catch(() => undefined);
    if (state) records.set(tagOf(generation, decision), state);
    else away.add(repository);
  }
  return records;
}

/** The best parent, and the previous champion if it was measured. */
function beaten({ status }: EvolutionGeneration): { name: string; digest: string }[] {
  const { bestParent, incumbent, leftOut } = status?.promotion ?? {};
  const parent = status?.members?.find(({ name }) => name === bestParent);
  const retired = status?.decisions?.find(({ kind, adapter }) => kind === "Retirement" && adapter === incumbent);
  return [
    ...(parent ? [{ name: parent.name, digest: parent.digest }] : []),
    ...(retired && retired.adapter !== bestParent && !leftOut ? [{ name: retired.adapter, digest: retired.digest }] : []),
  ];
}
