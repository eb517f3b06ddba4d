import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";

export type GenerationStatus = NonNullable<EvolutionGeneration["status"]>;

/** Whether a status shows that something has happened. */
type Shown = (status: GenerationStatus) => boolean;

const created =
  (purpose: "Members" | "Children" | "Promotion"): Shown =>
  ({ evaluations = [] }) =>
    evaluations.some((each) => each.purpose === purpose && each.state !== "Planned");

/** What a generation does, in its order; its status shows each right after it happened. */
const effects: Readonly<Record<string, Shown>> = {
  "the population is frozen": ({ memberCount }) => memberCount !== undefined,
  "an evaluation of members is created": created("Members"),
  "members are measured": ({ members = [] }) => members.some(({ passAt1 }) => passAt1),
  "parents are selected": ({ selection }) => selection !== undefined,
  "a child's run is created": ({ children = [] }) => children.some(({ state }) => state === "Training"),
  "a child is stored": ({ children = [] }) => children.some(({ digest }) => digest !== undefined),
  "an evaluation of children is created": created("Children"),
  "children are measured": ({ children = [] }) => children.some(({ passAt1 }) => passAt1),
  "children are kept or dropped": ({ children = [] }) => children.some(({ state }) => state === "Kept" || state === "Dropped"),
  "the deciding evaluation is created": created("Promotion"),
  "the promotion is decided": ({ promotion }) => promotion?.outcome !== undefined,
  "archivals are decided": ({ pruned }) => pruned === true,
  "a decision is recorded": ({ decisions = [] }) => decisions.some(({ recorded }) => recorded),
  "the next generation is created": ({ next }) => next !== undefined,
};

/** Components of the installation; each is one pod that is not replaced by another while it restarts. */
export const services: readonly string[] = ["operator", "nats", "registry"];

/**
 * What a generation's pods do meanwhile, and which component that is. The engine isn't among them: it takes a minute to
 * restart, during which nothing else could be hit.
 */
const works: Readonly<Record<string, string>> = {
  "a trainer works": "trainer",
  "an evaluator works": "evaluator",
  "a sandbox works": "sandbox",
};

/** Components of the work itself. */
export const workers: readonly string[] = Object.values(works);

/** All effects, in their order. */
export const effectNames: readonly string[] = [...Object.keys(effects), ...Object.keys(works)];

/** Effects that a generation's status and the components of its running pods show. */
export const effectsOf = (status: GenerationStatus = {}, running: readonly string[] = []): string[] =>
  effectNames.filter((name) => effects[name]?.(status) || running.includes(works[name] ?? ""));

/** The component that an effect is the work of; undefined where it is the generation's own. */
export const workerIn = (effect: string): string | undefined => works[effect];

/** Who was killed, and right after which effect of which generation, if it was after one. */
export interface Kill {
  readonly component: string;
  readonly generation?: string;
  readonly effect?: string;
}

/** Who is killed after an effect, of those that run: whom this effect's kills have hit least, of these whom all have. */
export function victimOf(components: readonly string[], effect: string, kills: readonly Kill[]): string | undefined {
  const hits = (component: string) => {
    const own = kills.filter((each) => each.component === component);
    return own.filter((each) => each.effect === effect).length * (kills.length + 1) + own.length;
  };
  return components.toSorted((one, other) => hits(one) - hits(other))[0];
}

/** Who was never killed. */
export const neverHit = (kills: readonly Kill[]) =>
  [...services, ...workers].filter((each) => !kills.some(({ component }) => component === each));

/** Who was killed after which effect, as Markdown; empty where nobody was. */
export function killTable(kills: readonly Kill[]): string {
  if (!kills.some(({ effect }) => effect)) return "";
  const rows = effectNames.map((effect) => {
    const killed = kills.filter((each) => each.effect === effect).map(({ component, generation }) => `${component} (${generation})`);
    return `| ${effect} | ${killed.join(", ") || "–"} |`;
  });
  return ["| As soon as | was killed (in generation) |", "|---|---|", ...rows].join("\n");
}
