import type { Scope } from "@rune/crds/fields/scope";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { type EvolutionGeneration, evolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { apiVersion } from "@rune/crds/words/group";
import type { Outcome } from "kopf-ts";
import { decide, type Store } from "../evolution-generation/decide.ts";
import type { Child, Member, World } from "../evolution-generation/world.ts";
import { aCondition, now } from "./builders.ts";
import { found, setOf } from "./evaluation-world.ts";
import { adapter, baseDigest, digestOf, metadata, modelServer } from "./objects.ts";

/** The input of a decision about a generation, for its tests: no problems, and nothing begun. */

const held = (part: string) => ({ taskSet: { configMap: { name: "held-out" }, part } });
export const taskSet = { digest: digestOf("c"), repository: "rune/team/tasks", part: "Validation" as const, tasks: 20, clusters: 20 };
export const promotionTaskSet = { ...taskSet, part: "Test" as const };

export function aGeneration(
  over: { name?: string; spec?: object; status?: object; labels?: Record<string, string> } = {},
): EvolutionGeneration {
  const given = {
    serverRef: { name: "qwen" },
    population: { matchLabels: { team: "blue" } },
    fitness: held("Validation"),
    promotion: held("Test"),
    ...over.spec,
  };
  return {
    apiVersion,
    kind: "EvolutionGeneration",
    metadata: metadata(over.name ?? "parsers", { namespace: "team", labels: over.labels }),
    spec: evolutionGeneration.spec.parse(given),
    status: over.status as EvolutionGeneration["status"],
  };
}

export const interval = (estimate: number, half = 0.05) => ({
  estimate: estimate.toFixed(3),
  lower: (estimate - half).toFixed(3),
  upper: (estimate + half).toFixed(3),
});

const digestFor = (name: string) => `sha256:${Buffer.from(name).toString("hex").padEnd(64, "0").slice(0, 64)}`;
export const text: Scope = { project: "parsers", domain: "text" };

/** An Adapter of the population with this name. */
export const anAdapter = (name: string, over: { spec?: object; status?: object; labels?: Record<string, string> } = {}) =>
  adapter(name, {
    metadata: { namespace: "team", labels: { team: "blue", ...over.labels } },
    spec: { artifact: { repository: "rune/team/adapters", digest: digestFor(name), sizeBytes: 1 }, scope: text, ...over.spec },
    status: { conditions: [aCondition("Ready")], ...over.status },
  });

export const aMember = (name: string, passAt1?: number, more: Partial<Member> = {}): Member => ({
  name,
  digest: digestFor(name),
  repository: "rune/team/adapters",
  scope: text,
  ...(passAt1 !== undefined && { passAt1: interval(passAt1), evaluationUID: "uid-of-parsers-m1" }),
  ...more,
});

export const aChild = (run: string, state: Child["state"], more: Partial<Child> = {}): Child => ({
  run,
  kind: "Merge",
  parents: ["a", "b"],
  state,
  ...(["Born", "Measured", "Kept", "Dropped"].includes(state) && {
    adapter: `of-${run}`,
    digest: digestFor(`of-${run}`),
    repository: "rune/team/adapters",
  }),
  ...more,
});

/** A run or evaluation of the generation. */
export const ours = <T extends TrainingRun | Evaluation>(
  name: string,
  conditions: string[] = [],
  over: { spec?: object; status?: object; labels?: Record<string, string> } = {},
) =>
  ({
    metadata: metadata(name, { namespace: "team", labels: over.labels }),
    spec: { resources: {}, ...over.spec },
    status: { conditions: conditions.map((type) => ({ ...aCondition(type), message: `because of ${type}` })), ...over.status },
  }) as unknown as T;

/** Adapters of these names. */
export const adaptersOf = (...names: string[]) => new Map(names.map((name) => [name, anAdapter(name)]));

export function anEvolutionWorld(over: Partial<World> = {}): World {
  const server = modelServer("qwen", { status: { conditions: [aCondition("Ready")], baseDigest } });
  const set = setOf(Array.from({ length: 40 }, (_, n) => ({ ...text, task: `k${n % 2}` })));
  return {
    generation: aGeneration(),
    root: undefined,
    next: undefined,
    requirements: [],
    server,
    tasks: { fitness: found(set), promotion: found(set) },
    deciding: found(set),
    population: [anAdapter("a"), anAdapter("b")],
    adapters: adaptersOf("a", "b"),
    champions: [],
    runs: new Map(),
    generatorRun: undefined,
    evaluations: new Map(),
    results: new Map(),
    learnt: new Map(),
    users: new Map(),
    records: new Map(),
    tracking: undefined,
    pairs: undefined,
    retraining: undefined,
    makers: new Map(),
    ...over,
  };
}

const unexpected = async () => {
  throw new Error("nothing should be stored here");
};
/** The decision about a world; writes that the test doesn't provide fail. */
export const decideOn = (over: Partial<World> = {}, store: Partial<Store> = {}): Outcome =>
  decide(anEvolutionWorld(over), { tasks: unexpected, evidence: unexpected, track: unexpected, ...store }, now);
type Status = Record<string, unknown>;
/** The status that an outcome writes. */
export const statusOf = (outcome: Outcome) => outcome.status as Status & { [key: string]: never };

/** A generation that has begun, and one whose parents are selected. */
export const begun = { startTime: "2026-11-23T11:00:00Z", taskSet, promotionTaskSet, base: interval(0.3) };
const measuredBy = { name: "parsers-m1", purpose: "Members", adapters: ["a", "b"], state: "Measured", uid: "u" };
export const selected = {
  ...begun,
  evaluations: [measuredBy],
  members: [aMember("a", 0.5), aMember("b", 0.4)],
  selection: { draws: [], parents: ["a", "b"] },
};
