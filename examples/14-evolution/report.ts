import { condition, type Seen } from "../shared/objects.ts";
import { claimLines, durationLines } from "../shared/report.ts";
import { type GenerationStatus, type Kill, killTable } from "./effects.ts";
import type { Comparison, Counts } from "./inventory.ts";

/** Estimate and the ends of its 95 % interval. */
interface Rate {
  estimate: number;
  ci: [number, number];
}

/** What a generation decided. */
interface Generation {
  name: string;
  reason: string;
  members: number;
  best: { adapter: string; passAt1: Rate } | null;
  children: { run: string; kind: string; parents: number; state: string; passAt1: Rate | null; why: string }[];
  promotion: {
    outcome: string;
    candidate: string | null;
    delta: Rate | null;
    rivals: { role: string; delta: Rate }[];
    why: string;
  };
  archived: number;
  decisions: { kind: string; adapter: string; recorded: boolean }[];
}

/** The content of `out/evolution.json`. `checks` contains whether it is as it should be. */
export interface Result {
  verbs: Generation[];
  copies: Generation[];
  /** TrainingRuns that generations made. */
  runs: string[];
  /** EvolutionGenerations that exist in the end. */
  generations: string[];
  /** Pods that were killed meanwhile. */
  kills: Kill[];
  /** What the registry held before evolution and after. */
  registry: Comparison;
  checks: Record<string, boolean>;
  minutes: number;
  parts: Record<string, number>;
}

type Interval = { estimate: string; lower: string; upper: string };
const rateOf = ({ estimate, lower, upper }: Interval): Rate => ({ estimate: Number(estimate), ci: [Number(lower), Number(upper)] });

export function generationOf(seen: Seen<GenerationStatus>): Generation {
  const { memberCount = 0, best, children = [], promotion, archived = 0, decisions = [] } = seen.status ?? {};
  return {
    name: seen.metadata.name,
    reason: condition(seen, "Succeeded")?.reason ?? "",
    members: memberCount,
    best: best ? { adapter: best.adapter, passAt1: rateOf(best.passAt1) } : null,
    children: children.map(({ run, kind, parents, state, passAt1, why = "" }) => ({
      ...{ run, kind, parents: parents.length, state, why },
      passAt1: passAt1 ? rateOf(passAt1) : null,
    })),
    promotion: {
      outcome: promotion?.outcome ?? "NotPromoted",
      candidate: promotion?.candidate ?? null,
      delta: promotion?.delta ? rateOf(promotion.delta) : null,
      rivals: (promotion?.rivals ?? []).map(({ role, delta }) => ({ role, delta: rateOf(delta) })),
      why: promotion?.why ?? "",
    },
    archived,
    decisions: decisions.map(({ kind, adapter, recorded }) => ({ kind, adapter, recorded })),
  };
}

/** The claims of evolution, whatever its outcome. */
export function checksOf({
  verbs,
  copies,
  runs,
  generations,
  registry,
}: Omit<Result, "checks" | "minutes" | "parts" | "kills">): Record<string, boolean> {
  const all = [...verbs, ...copies];
  const children = all.flatMap((generation) => generation.children.map(({ run }) => run));
  const decisions = all.flatMap((generation) => generation.decisions);
  const promotions = verbs.map(({ promotion }) => promotion).filter(({ outcome }) => outcome === "Promoted");
  return {
    "every generation says who was promoted or why nobody was": verbs.every(({ promotion }) => promotion.why !== ""),
    "who was promoted gained over its best parent or the champion (lower end above 0)": promotions.every(
      ({ delta }) => (delta?.ci[0] ?? -1) > 0,
    ),
    "and more than the mean, the adapter retrained on the union and the parent at equal strength": promotions.every(
      ({ delta, rivals }) =>
        ["Mean", "UnionRetrain", "ScaledParent"].every((role) => rivals.some((rival) => rival.role === role)) &&
        rivals.every((rival) => rival.delta.estimate < (delta?.estimate ?? Number.NaN)),
    ),
    "copies of one adapter promoted nothing": copies.every(({ promotion }) => promotion.outcome !== "Promoted"),
    "each child was made by one TrainingRun": haveEachOnce(children, runs),
    "each generation began one next generation at most": haveEachOnce(
      all.map(({ name }) => name),
      generations,
    ),
    "each promotion, retirement and archival was decided once and recorded":
      decisions.every(({ recorded }) => recorded) &&
      new Set(decisions.map(({ kind, adapter }) => `${kind} ${adapter}`)).size === decisions.length,
    "the registry holds everything that it held, byte for byte: every blob, manifest and tag of every repository":
      registry.changed.length === 0,
    "and every blob that it got is what its digest says": registry.damaged.length === 0,
  };
}

const haveEachOnce = (expected: readonly string[], found: readonly string[]) =>
  new Set(expected).size === expected.length && expected.toSorted().join() === found.toSorted().join();

const countsShown = ({ blobs, manifests, tags }: Counts) => `${blobs} blobs, ${manifests} manifests and ${tags} tags`;
/** Paths of the registry that are named in the report; `out/evolution.json` has them all. */
const mostPaths = 20;

/** The final report for a person. */
export function story({ verbs, copies, kills, registry, checks, parts, minutes }: Result, namespace: string): string {
  const killed = [...Map.groupBy(kills, ({ component }) => component)].map(([component, each]) => `${component} ${each.length}`);
  return `
${[...verbs, ...copies].map(paragraph).join("\n")}
  Killed meanwhile: ${killed.join(", ") || "nothing"}
  The registry had ${countsShown(registry.before)} before, and has ${countsShown(registry.after)} now.
${[...registry.changed.map((path) => `    changed: ${path}`), ...registry.damaged.map((path) => `    damaged: ${path}`)].slice(0, mostPaths).join("\n")}

${killTable(kills)}
${claimLines(checks)}

${durationLines({ minutes, parts })}

  Where to look next
    kubectl get reg -n ${namespace}
    kubectl describe reg verbs -n ${namespace}
    out/evolution/ holds every manifest that was applied and the world's files, out/evolution.json these figures
`;
}

function paragraph({ name, reason, members, best, children, promotion, archived }: Generation): string {
  const born = children.map(
    ({ run, kind, parents, state, passAt1, why }) =>
      `    ${run.padEnd(16)} ${kind.padEnd(13)} of ${parents}  ${passAt1 ? shown(passAt1) : "not measured"}  ${state}${why ? `: ${why}` : ""}`,
  );
  return `
  ${name}: ${members} members, ${archived} archived; best ${best ? `${best.adapter} ${shown(best.passAt1)}` : "unknown"}
${born.join("\n")}
    ${promotion.outcome}: ${promotion.why}
${promotion.rivals.map(({ role, delta }) => `      ${role.padEnd(13)} ${shown(delta)} points over the same`).join("\n")}
    ${reason}
`;
}

const shown = ({ estimate, ci: [lower, upper] }: Rate) => `${estimate} [${lower}, ${upper}]`;
