import { apiVersion, group } from "@rune/crds/common";
import type { DynamicObject, Outcome } from "kopf-ts";
import { progressing } from "kopf-ts";
import { hasLabels } from "../labels.ts";
import { evidenceOf, type StoreEvidence, tagOf } from "./evidence.ts";
import { GenerationReason } from "./reasons.ts";
import type { Child, Decision, World } from "./world.ts";

const retrySeconds = 10;

/** Stores what was decided; status says that it is recorded once the registry has it. */
export function recordDecisions(world: World, store: StoreEvidence): Outcome {
  const { generation, stored } = world;
  const { status = {} } = generation;
  const before = status.decisions ?? [];
  const decisions = before.map((decision) => (stored.has(tagOf(generation, decision)) ? { ...decision, recorded: true } : decision));
  const open = decisions.filter(({ recorded }) => !recorded);
  if (decisions.some(({ recorded }, index) => recorded !== before[index]?.recorded)) {
    const message = `${decisions.length - open.length} of ${decisions.length} decisions are in the registry`;
    return told(before, decisions, progressing(GenerationReason.Recording, message, { decisions, ...countsOf(decisions) })).atOnce();
  }
  const message = `stores ${open.length} decisions in the registry`;
  return open
    .reduce(
      (outcome, decision) =>
        outcome.effect(`${decision.kind} of ${decision.adapter}`, async () => {
          await store(decision.repository, evidenceOf(generation, decision));
        }),
      progressing(GenerationReason.Recording, message),
    )
    .again(retrySeconds)
    .atOnce();
}

function countsOf(decisions: readonly Decision[]) {
  const of = (kind: Decision["kind"]) => decisions.filter((decision) => decision.recorded && decision.kind === kind);
  const [promoted, retired] = [of("Promotion")[0]?.adapter, of("Retirement")[0]?.adapter];
  return { ...(promoted && { promoted }), ...(retired && { retired }), archived: of("Archival").length };
}

function told(before: readonly Decision[], now: readonly Decision[], outcome: Outcome): Outcome {
  const news = now.filter((decision, index) => decision.recorded && !before[index]?.recorded);
  const names = { Promotion: "Promoted", Retirement: "Retired", Archival: "Archived" } as const;
  return news.reduce((said, { kind, adapter, why }) => said.event("Normal", names[kind], `${adapter}: ${why}`), outcome);
}

/** Labels of the population that kept children lack. Those of `rune.dev/` mirror what an adapter is, and are nobody's to give. */
export function labelsMissing({ generation, adapters }: World): DynamicObject[] {
  const wished = Object.fromEntries(Object.entries(generation.spec.population.matchLabels).filter(([key]) => !key.startsWith(`${group}/`)));
  const kept = (generation.status?.children ?? []).flatMap(({ state, adapter }: Child) => (state === "Kept" && adapter ? [adapter] : []));
  return kept.flatMap((name) => {
    const found = adapters.get(name);
    if (!found || hasLabels(found, wished)) return [];
    const { namespace, uid } = found.metadata;
    return [{ apiVersion, kind: "Adapter", metadata: { name, namespace, uid, labels: wished } }];
  });
}
