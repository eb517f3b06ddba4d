import { type TaskSet, taskSet } from "@rune/crds/contracts/task-set";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import type { Plan } from "../evaluation/plan.ts";
import { judgedSoFar, type World } from "../evaluation/world.ts";
import { aCondition, anEvaluation } from "./builders.ts";
import { adapter, digestOf, metadata } from "./objects.ts";

/** The input of a decision about an evaluation, for its tests: no problems, and nothing begun. */

export const loaded = { name: "tessera-1", digest: digestOf("a"), state: "Loaded", engines: 1 };

export const serverWith = (adapters: object[] = [], held: Partial<ModelServer["spec"]["adapters"]> = {}) =>
  ({
    metadata: { name: "coder" },
    spec: { base: { oci: { repository: "rune/models/m", digest: digestOf("b") } }, adapters: { slots: 4, maxRank: 16, ...held } },
    status: { conditions: [aCondition("Ready")], adapters, baseDigest: digestOf("b") },
  }) as unknown as ModelServer;

/** An adapter with a scope, made by the run `by` if given. */
export function adapterOf(name: string, scope: object, by?: string): Adapter {
  const source = by ? ({ kind: "TrainingRun", name: by } as const) : ({ kind: "Import" } as const);
  return adapter(name, { spec: { scope, source, artifact: { repository: "rune/team/adapters", digest: digestOf("a"), sizeBytes: 1 } } });
}

export const aRunOf = (name: string, method: object) => ({ metadata: metadata(name), spec: method }) as unknown as TrainingRun;

const task = { description: "d", tests: "assert f() == 1", entryPoint: "f" };
/** Tasks t0, t1, … of these scopes, each in a separate cluster unless `cluster` says otherwise. */
export const setOf = (scopes: readonly (object | undefined)[], cluster?: (n: number) => string): TaskSet =>
  taskSet.parse({
    schema: "rune.dev/taskset/v1",
    name: "s",
    tasks: scopes.map((scope, n) => ({
      ...task,
      id: `t${n}`,
      tests: `assert f() == ${n}`,
      ...(scope && { scope }),
      ...(cluster && { cluster: cluster(n) }),
    })),
  });

export const reference = { repository: "rune/team/tasks", digest: digestOf("c") };
const tessera = { project: "tessera" };
export const found = (set: TaskSet = setOf([tessera, tessera, tessera, tessera])) => ({ set, reference, stored: true });

/** A plan's entry for the server of `serverWith`. */
export const server = { name: "coder", shared: 3 };

/** The plan of an evaluation with the arms base and adapter, on four tasks. */
export const aPlan = (over: Partial<Plan> = {}): Plan => ({
  taskSet: { ...reference, tasks: 4, clusters: 4, scope: tessera },
  looks: [{ tasks: 4, clusters: 4 }],
  arms: [
    { name: "base", server, adapters: [], batches: [{ adapters: [], looks: [1] }] },
    {
      name: "adapter",
      server,
      adapters: [{ name: "tessera-1", repository: "rune/team/adapters", digest: digestOf("a"), generation: 0 }],
      batches: [{ adapters: ["tessera-1"], looks: [1] }],
    },
  ],
  ...over,
});

export function aWorld(over: Partial<World> = {}): World {
  return {
    evaluation: anEvaluation(),
    requirements: [],
    servers: new Map([["coder", serverWith([loaded])]]),
    adapters: new Map([["tessera-1", adapterOf("tessera-1", tessera)]]),
    libraryExists: true,
    plan: undefined,
    tasks: found(),
    selected: new Map(),
    told: new Map(),
    residents: new Map(),
    runs: new Map(),
    earlier: [],
    takenUIDs: new Set<number>(),
    sandboxPod: undefined,
    sandbox: { state: "Absent" },
    job: undefined,
    worker: { state: "Absent" },
    progress: 0,
    leftovers: [],
    cleanup: [],
    targets: undefined,
    log: judgedSoFar.empty,
    evidence: { unstored: [], refused: [] },
    credentials: undefined,
    runnerToken: "t",
    ...over,
  };
}
