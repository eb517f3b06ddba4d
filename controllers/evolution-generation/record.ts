import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { ConditionType } from "@rune/crds/words/conditions";
import { apiVersion, group } from "@rune/crds/words/group";
import { type DynamicObject, type Outcome, progressing, timestamp } from "kopf-ts";
import type { PieceState } from "../evidence/state.ts";
import { hasLabels } from "../shared/labels.ts";
import { evidenceOf, type StoreEvidence, tagOf } from "./evidence.ts";
import { GenerationReason } from "./reasons.ts";
import { isOpen } from "./steps.ts";
import type { Child, Decision, World } from "./world.ts";

const retrySeconds = 10;

/** Stores the decisions; status marks each as recorded once the registry has it, or says why it can never be stored. */
export function recordDecisions(world: World, store: StoreEvidence, now: Date): Outcome {
  const { generation, records } = world;
  const before = generation.status?.decisions ?? [];
  const decisions = inForce(before.map((decision) => settledBy(decision, records.get(tagOf(generation, decision)), now)));
  const news = decisions.filter((decision, index) => isOpen(before[index] as Decision) && !isOpen(decision));
  if (news.length > 0) {
    const message = `${decisions.filter(({ recorded }) => recorded).length} of ${decisions.length} decisions are in the registry`;
    const promotion = promotionWith(news, generation);
    const status = { decisions, ...countsOf(decisions), ...(promotion && { promotion }) };
    const outcome = told(news, progressing(GenerationReason.Recording, message, status)).atOnce();
    return promotion
      ? outcome.condition({ type: ConditionType.Promoted, status: "False", reason: GenerationReason.NotPromoted, message: promotion.why })
      : outcome;
  }
  const open = decisions.filter(isOpen);
  // No champion is retired before its successor's promotion is recorded.
  const isPromoting = open.some(({ kind }) => kind === "Promotion");
  const due = open.filter(({ kind }) => !(isPromoting && kind === "Retirement"));
  return progressing(GenerationReason.Recording, `stores ${due.length} decisions in the registry`)
    .effect("decisions", (signal) => storeAll(generation, due, store, signal))
    .again(retrySeconds)
    .atOnce();
}

function settledBy(decision: Decision, state: PieceState | undefined, now: Date): Decision {
  if (!state || state === "unstored") return decision;
  return state === "stored"
    ? { ...decision, recorded: true, recordedTime: timestamp(now) }
    : { ...decision, refused: state.refused.slice(0, 300) };
}

/** If the promotion is refused, the retirements for it are void. */
function inForce(decisions: readonly Decision[]): Decision[] {
  const refused = decisions.find((decision) => decision.kind === "Promotion" && decision.refused);
  return decisions.map((decision) =>
    refused && decision.kind === "Retirement" && isOpen(decision)
      ? { ...decision, refused: `the promotion of ${refused.adapter} isn't in force` }
      : decision,
  );
}

/** A repository that is unavailable doesn't affect the others. Throws the first error. */
async function storeAll(
  generation: EvolutionGeneration,
  decisions: readonly Decision[],
  store: StoreEvidence,
  signal: AbortSignal,
): Promise<void> {
  const errors = new Map<string, unknown>();
  for (const decision of decisions) {
    const { repository } = decision;
    signal.throwIfAborted();
    if (!errors.has(repository))
      await store(repository, evidenceOf(generation, decision)).catch((error: unknown) => errors.set(repository, error));
  }
  for (const error of errors.values()) throw error;
}

function countsOf(decisions: readonly Decision[]) {
  const of = (kind: Decision["kind"]) => decisions.filter((decision) => decision.recorded && decision.kind === kind);
  const [promoted, retired] = [of("Promotion")[0]?.adapter, of("Retirement")[0]?.adapter];
  return { ...(promoted && { promoted }), ...(retired && { retired }), archived: of("Archival").length };
}

function told(news: readonly Decision[], outcome: Outcome): Outcome {
  const names = { Promotion: "Promoted", Retirement: "Retired", Archival: "Archived" } as const;
  return news.reduce(
    (said, { kind, adapter, why, refused }) =>
      refused
        ? said.event("Warning", GenerationReason.DecisionRefused, `the ${kind} of ${adapter} isn't in force: ${refused}`)
        : said.event("Normal", names[kind], `${adapter}: ${why}`),
    outcome,
  );
}

/** The promotion's new outcome if it can never be stored; undefined where it can. */
function promotionWith(news: readonly Decision[], { status }: EvolutionGeneration) {
  const refused = news.find(({ kind }) => kind === "Promotion")?.refused;
  if (!refused) return undefined;
  const why = `it isn't in force, because it can't be stored: ${refused}; ${status?.promotion?.why}`.slice(0, 1000);
  return { ...status?.promotion, outcome: "NotPromoted" as const, why };
}

/**
 * Labels of the population that kept children lack, except those under `rune.dev/`, which mirror an adapter's state.
 */
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
