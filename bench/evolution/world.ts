import { sha256 } from "@rune/clients/registry/digest";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import type { EvolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { apiVersion } from "../../crds/words/group.ts";
import { label } from "../../crds/words/labels.ts";
import { type Api, inParallel } from "../operator/http.ts";
import { condition, createWithStatus, type SimulatedObject } from "../simulated-objects.ts";

export const namespace = "evolution";
const population = { team: "blue" };
const baseDigest = `sha256:${"b".repeat(64)}`;
const scope = { project: "parsers", domain: "text" };
const width = 24;

const path = (plural: string, name = "") => `/apis/${apiVersion}/namespaces/${namespace}/${plural}${name ? `/${name}` : ""}`;

/** How much there is besides the generation. */
export interface Size {
  readonly adapters: number;
  /** Of these, those that carry the population's labels. */
  readonly members: number;
  /** Sessions that have ended. */
  readonly sessions: number;
}

const put = (api: Api, plural: string, kind: string, object: SimulatedObject) =>
  createWithStatus(api, path(plural), { kind, namespace, ...object });

const adapterAt = (stem: string, labels: object, more: object = {}) => {
  const digest = sha256(Buffer.from(stem));
  return {
    name: `${stem}-${digest.slice(7, 23)}`,
    labels,
    spec: {
      base: { name: "m", digest: baseDigest },
      artifact: { repository: `rune/${namespace}/adapters`, digest, sizeBytes: 1 },
      ...{ rank: 8, alpha: 8, targetModules: ["q_proj"], scope, source: { kind: "Import" } },
      ...more,
    },
    status: { conditions: [condition("Ready")] },
  };
};

/** A ready server, adapters, and sessions that have ended: the objects that exist before a generation begins. */
export async function populate(api: Api, { adapters, members, sessions }: Size): Promise<void> {
  await put(api, "modelservers", "ModelServer", {
    name: "qwen",
    spec: { base: { oci: { repository: "rune/models/m", digest: baseDigest } }, adapters: { slots: 16, maxRank: 256 } },
    status: { conditions: [condition("Ready")], baseDigest },
  });
  await inParallel(adapters, width, (index) =>
    put(api, "adapters", "Adapter", adapterAt(`a${index}`, index < members ? population : { team: "red" })),
  );
  await inParallel(sessions, width, (index) =>
    put(api, "agentsessions", "AgentSession", {
      name: `s${index}`,
      spec: {
        task: { id: `t${index}`, description: "Write f.", tests: "assert f() == 1", entryPoint: "f" },
        scope,
        serverRef: { name: "qwen" },
      },
      status: { conditions: [condition("Succeeded")] },
    }),
  );
  const line = (n: number) =>
    JSON.stringify({
      id: `t${n}`,
      description: `task ${n}`,
      tests: `assert f() == ${n}`,
      entryPoint: "f",
      scope: { ...scope, task: `k${n % 4}` },
    });
  await api.call("POST", `/api/v1/namespaces/${namespace}/configmaps`, {
    metadata: { name: "held-out", namespace },
    data: { "tasks.jsonl": Array.from({ length: 120 }, (_, n) => line(n)).join("\n") },
  });
}

export async function createGeneration(api: Api, maximum: number): Promise<void> {
  const held = (part: string) => ({ taskSet: { configMap: { name: "held-out" }, part } });
  const spec = {
    serverRef: { name: "qwen" },
    population: { matchLabels: population, maximum },
    fitness: held("Validation"),
    promotion: held("Test"),
    selection: { parents: 4, tournamentSize: 3 },
    variation: { unionRetrain: false },
    maxGenerations: 1,
  };
  await api.call("POST", path("evolutiongenerations"), {
    apiVersion,
    kind: "EvolutionGeneration",
    metadata: { name: "parsers", namespace },
    spec,
  });
}

export const generationNow = (api: Api) => api.call<EvolutionGeneration>("GET", path("evolutiongenerations", "parsers"));

/** The results of trainers and evaluators, as soon as they are requested; merged children are the better ones. */
export async function answer(api: Api, generation: EvolutionGeneration): Promise<void> {
  const open = async <T extends { status?: { conditions?: unknown } }>(plural: string) =>
    (await api.call<{ items: T[] }>("GET", path(plural))).items.filter(({ status }) => !status?.conditions);
  for (const run of await open<TrainingRun>("trainingruns")) await train(api, run);
  for (const evaluation of await open<Evaluation>("evaluations")) await measure(api, evaluation, generation);
}

async function train(api: Api, run: TrainingRun): Promise<void> {
  const { name, uid } = run.metadata;
  const made = adapterAt(name, { ...population, [label.run]: name }, { source: { kind: "TrainingRun", name, uid } });
  await put(api, "adapters", "Adapter", made);
  const status = { conditions: [condition("Succeeded")], adapter: made.name };
  await api.call("PUT", `${path("trainingruns", name)}/status`, { ...run, status });
}

async function measure(api: Api, evaluation: Evaluation, { status: seen }: EvolutionGeneration): Promise<void> {
  const interval = (value: number, half: number) => ({
    estimate: value.toFixed(3),
    lower: (value - half).toFixed(3),
    upper: (value + half).toFixed(3),
  });
  const shareOf = (adapter: string | undefined) => {
    if (!adapter) return 0.2;
    if (/-p?c[123]-/.test(adapter)) return 0.7;
    return 0.3 + (Number.parseInt(sha256(Buffer.from(adapter)).slice(7, 9), 16) % 20) / 100;
  };
  const { arms, gate, taskSet } = evaluation.spec;
  const baseline = shareOf(arms.find(({ name }) => name === gate?.baseline)?.adapter);
  const gains = arms.map(({ name, adapter }) => ({ candidate: name, delta: interval(100 * (shareOf(adapter) - baseline), 5) }));
  const delta = gains.find(({ candidate }) => candidate === gate?.candidate)?.delta;
  const status = {
    taskSet: taskSet.part === "Test" ? seen?.promotionTaskSet : seen?.taskSet,
    arms: arms.map(({ name, adapter }) => ({ name, completed: 1, total: 1, passAt1: interval(shareOf(adapter), 0.05) })),
    ...(gate &&
      delta && {
        comparisons: gains.filter(({ candidate }) => candidate !== gate.baseline),
        delta,
        verdict: Number(delta.lower) >= 0 ? "Passed" : "Inconclusive",
      }),
    conditions: [condition("Succeeded")],
  };
  await api.call("PUT", `${path("evaluations", evaluation.metadata.name)}/status`, { ...evaluation, status });
}
