import { sha256 } from "@rune/clients/registry/digest";
import { ArtifactMissing, artifactDigest, type Push, RegistryUnavailable } from "@rune/clients/registry/registry";
import { partOf, taskSetFile } from "@rune/clients/tasks/task-set";
import { mediaType } from "@rune/crds/contracts/artifact";
import { type Adapter, adapter as adapterKind } from "@rune/crds/kinds/adapter";
import type { Evaluation } from "@rune/crds/kinds/evaluation";
import { type EvolutionGeneration, evolutionGeneration } from "@rune/crds/kinds/evolution-generation";
import { resourceOf } from "@rune/crds/kinds/kind";
import { kinds } from "@rune/crds/kinds/kinds";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { apiVersion } from "@rune/crds/words/group";
import { conditionsOf, configMaps, type DynamicObject, isTerminal, Manager, silentLogger } from "kopf-ts";
import { FakeApiServer, VirtualClock } from "kopf-ts/testing";
import { register } from "../evolution-generation/controller.ts";
import type { Child } from "../evolution-generation/world.ts";
import { generatedName } from "../shared/names.ts";
import { adapters, evaluations, evolutionGenerations, modelServers, trainingRuns } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { baseDigest, condition, config, modelServer } from "./objects.ts";

/*
 * Evolution on a fake API server and a fake registry: evaluators, trainers and the Adapter controller are played
 * according to a table of which adapter solves which tasks. A fake: it judges nothing and trains nothing.
 */

const key = (name: string) => ({ namespace: "default", name });
const scope = { project: "parsers", domain: "text" };
const tasks = Array.from({ length: 80 }, (_, n) => ({
  id: `t${n}`,
  description: `task ${n}`,
  tests: `assert f() == ${n}`,
  entryPoint: "f",
  scope: { ...scope, task: `k${n % 4}` },
}));
type Part = "Validation" | "Test";
const idsOf = (part: Part) => tasks.filter((task) => partOf(task) === part).map(({ id }) => id);
const halfWidth = 0.05;
const intervalOf = (value: number, half = halfWidth) => ({
  estimate: value.toFixed(3),
  lower: (value - half).toFixed(3),
  upper: (value + half).toFixed(3),
});

/** The tasks that an adapter solves, by number; nothing else about it is known. */
export type Skill = (task: number) => boolean;

/** A child's skill, from its parents' skills. */
export type Breeding = (kind: Child["kind"], parents: readonly Skill[]) => Skill;

/** The write at which an operator is killed: the nth over API and registry, before or after it is applied. */
export interface Strike {
  readonly write: number;
  readonly before: boolean;
}

const isWrite = (method: string, path: string) => method !== "GET" && !path.includes("/events");

export class EvolutionLab {
  readonly clock = new VirtualClock("2026-11-23T12:00:00Z");
  /** Content by tag in the registry. */
  readonly registry = new Map<string, string>();
  /** Stored task sets by digest. */
  readonly taskSets = new Map<string, unknown>();
  /** Every object that ever existed, as name and UID, by kind. */
  readonly seen = new Map<string, Set<string>>();
  readonly api: FakeApiServer;
  writes = 0;
  /** Number of writes of the first generation, including the creation of the next. */
  writesOfFirst = 0;
  manager: Manager | undefined;
  /** While true the registry refuses writes. */
  away = false;
  /** What the registry held when the operator was killed. */
  atStrike: ReadonlyMap<string, string> = new Map();
  /** Tags that were pushed again with other content. */
  readonly moved: string[] = [];

  readonly #skills = new Map<string, Skill>();
  readonly #breeding: Breeding;
  readonly #reports = new Map<string, object>();
  #strike: Strike | undefined;
  #struck = false;

  private constructor(api: FakeApiServer, breeding: Breeding, strike?: Strike) {
    this.api = api;
    this.#breeding = breeding;
    this.#strike = strike;
  }

  static async start(
    given: {
      members: Readonly<Record<string, Skill>>;
      breeding: Breeding;
      spec?: object;
      scopes?: Readonly<Record<string, object>>;
      champion?: string;
    },
    strike?: Strike,
  ): Promise<EvolutionLab> {
    const lab = new EvolutionLab(await FakeApiServer.start({ resources: kinds.map(resourceOf) }), given.breeding, strike);
    lab.api.put(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: key("held-out"),
      data: { "tasks.jsonl": tasks.map((task) => JSON.stringify(task)).join("\n") },
    });
    const server = modelServer("qwen", { status: { conditions: [condition("Ready")], baseDigest } });
    lab.api.put(modelServers, { ...server, spec: { ...server.spec, adapters: { ...server.spec.adapters, maxRank: 256 } } });
    for (const [name, skill] of Object.entries(given.members))
      lab.addAdapter(name, skill, { scope: given.scopes?.[name] ?? scope, champion: name === given.champion });
    lab.api.put(evolutionGenerations, rootOf(given.spec) as EvolutionGeneration);
    lab.#injectStrike();
    await lab.restart();
    return lab;
  }

  #injectStrike(): void {
    const strikes = ({ method, path }: { method: string; path: string }) => {
      if (!isWrite(method, path)) return false;
      if (method === "POST" && path.endsWith("/evolutiongenerations")) this.writesOfFirst = this.writes + 1;
      const isStruck = ++this.writes === this.#strike?.write;
      if (isStruck) this.atStrike = this.inventory();
      return isStruck;
    };
    const action = { do: this.#strike?.before ? ("reset" as const) : ("reset after" as const) };
    this.api.inject({ match: strikes, action });
  }

  addAdapter(name: string, skill: Skill, given: { scope?: object; run?: TrainingRun; champion?: boolean } = {}): Adapter {
    const digest = sha256(Buffer.from(name));
    this.#skills.set(digest, skill);
    const full = given.run ? generatedName(given.run.metadata, digest) : `${name}-${digest.slice(7, 23)}`;
    const source = given.run
      ? { kind: "TrainingRun" as const, name: given.run.metadata.name, uid: given.run.metadata.uid }
      : { kind: "Import" as const };
    const artifact = { repository: "rune/default/adapters", digest, sizeBytes: 1 };
    const spec = {
      base: { name: "m", digest: baseDigest },
      artifact,
      rank: 8,
      alpha: 8,
      targetModules: ["q_proj"],
      scope: given.scope ?? scope,
      source,
    };
    const labels = { "rune.dev/project": "parsers", ...(given.run ? {} : { team: "blue" }) };
    const made = { apiVersion, kind: "Adapter", metadata: { ...key(full), labels }, spec: adapterKind.spec.parse(spec) };
    const status = { conditions: [condition("Ready")], ...(given.champion && { champion: scope, tier: "Domain" }) };
    return this.api.put(adapters, { ...made, status } as unknown as Adapter) as Adapter;
  }

  async restart(): Promise<void> {
    await this.manager?.stop();
    this.manager = new Manager({ client: this.api.client(), clock: this.clock, logger: silentLogger, freeze: "deep" });
    register(this.manager, this.#services());
    await this.manager.start();
  }

  async stop(): Promise<void> {
    await this.manager?.stop();
    await this.api.stop();
  }

  /** The registry of one namespace; a push may be where the operator is killed. */
  #services(): Services {
    const registry = {
      resolveTag: async (_: string, tag: string) => (this.#reports.has(tag) ? tag : (this.registry.get(tag) ?? null)),
      descriptor: async (_: string, digest: string) => ({ mediaType: mediaType.manifest, digest, size: 1 }),
      manifest: async (_: string, digest: string) => {
        if (isEvidence(digest))
          return { manifest: { artifactType: mediaType.evidence, subject: JSON.parse(digest).adapter, config: { digest }, layers: [] } };
        const isTasks = this.taskSets.has(digest);
        const title = this.#reports.has(digest) ? "report.json" : isTasks ? taskSetFile : "corpus.json";
        if (!isTasks && !this.#reports.has(digest) && !this.#skills.has(digest)) throw new ArtifactMissing(`${digest} isn't there`);
        return {
          manifest: {
            ...(isTasks && { artifactType: mediaType.taskSet }),
            layers: [{ digest, annotations: { "org.opencontainers.image.title": title } }],
          },
        };
      },
      json: async (_: string, { digest }: { digest: string }) =>
        isEvidence(digest) ? JSON.parse(digest) : (this.taskSets.get(digest) ?? this.#reports.get(digest) ?? { trajectories: [digest] }),
      push: async (input: Push) => {
        if (this.away) throw new RegistryUnavailable("away");
        const isStruck = ++this.writes === this.#strike?.write;
        if (isStruck && this.#strike?.before) this.#kill();
        await this.#take(input);
        if (isStruck) this.#kill();
      },
    };
    return { config, registry: () => registry } as unknown as Services;
  }

  /** Everything that the registry holds, evidence by its tag and task sets by their digest. */
  inventory(): ReadonlyMap<string, string> {
    return new Map([...this.registry, ...[...this.taskSets].map(([digest, set]) => [digest, JSON.stringify(set)] as const)]);
  }

  /** Evidence is stored by tag, task sets by digest. A tag can be moved, as in a real registry. */
  async #take(input: Push): Promise<void> {
    const [file] = input.files;
    if (input.artifactType === mediaType.taskSet && file?.bytes) {
      this.taskSets.set(await artifactDigest(input), JSON.parse(Buffer.from(file.bytes).toString("utf8")));
      return;
    }
    const { tag = "", config } = input;
    const [before, bytes] = [this.registry.get(tag), JSON.stringify(config)];
    if (input.artifactType !== mediaType.evidence) throw new Error(`a ${input.artifactType} was pushed`);
    if (before !== undefined && before !== bytes) this.moved.push(tag);
    this.registry.set(tag, bytes);
  }

  #kill(): never {
    this.#struck = true;
    this.atStrike = this.inventory();
    throw new RegistryUnavailable("the operator was killed here");
  }

  /** Whether the operator was killed as planned. */
  get isStruck(): boolean {
    return this.#struck || this.api.faultsLeft === 0;
  }

  get generations(): EvolutionGeneration[] {
    return this.api.all(evolutionGenerations).toSorted((a, b) => a.spec.generation - b.spec.generation);
  }

  /** Pieces of evidence of a kind, each as the adapter that it is about. */
  evidence(kind: string): string[] {
    return [...this.registry.values()].map((each) => JSON.parse(each)).flatMap((each) => (each.kind === kind ? [each.adapter.name] : []));
  }

  /** Number of objects of a kind that ever existed, without those that a later generation made. */
  count(kind: string): number {
    return [...(this.seen.get(kind) ?? [])].filter((each) => !/^parsers-g[0-9]+-/.test(each)).length;
  }

  /** Plays trainers, evaluators and the controllers of the other kinds. */
  proceed(): void {
    for (const resource of [trainingRuns, evaluations, evolutionGenerations, adapters])
      for (const object of this.api.all(resource as typeof trainingRuns)) {
        const uids = this.seen.get(object.kind) ?? new Set();
        this.seen.set(object.kind, uids.add(`${object.metadata.name} ${object.metadata.uid}`));
      }
    for (const run of this.api.all(trainingRuns)) if (!run.status && !run.spec.suspend) this.train(run);
    for (const evaluation of this.api.all(evaluations)) if (!evaluation.status && !evaluation.spec.suspend) this.judge(evaluation);
    for (const adapter of this.api.all(adapters)) this.#fold(adapter);
  }

  train(run: TrainingRun): void {
    const kind = kindOf(run);
    const names = run.spec.merge?.adapters ?? [];
    const parents = names.flatMap((name) => this.api.find(adapters, key(name)) ?? []);
    const skills = parents.map(({ spec }) => this.#skills.get(spec.artifact.digest) as Skill);
    const adapter = this.addAdapter(run.metadata.name, this.#breeding(kind, skills), { run, scope: run.spec.output.scope ?? {} });
    this.api.put(trainingRuns, { ...run, status: { adapter: adapter.metadata.name, conditions: [this.#now("Succeeded")] } } as TrainingRun);
  }

  #now = (type: string) => condition(type, "True", this.clock.now().toISOString());

  judge(evaluation: Evaluation): void {
    const { part } = evaluation.spec.taskSet as { part: Part };
    const ids = idsOf(part);
    const digestOfArm = ({ adapter }: { adapter?: string | undefined }) =>
      adapter && this.api.find(adapters, key(adapter))?.spec.artifact.digest;
    const solves = (digest: string | undefined, id: string) =>
      digest ? (this.#skills.get(digest)?.(Number(id.slice(1))) ?? false) : Number(id.slice(1)) % 5 === 0;
    const arms = evaluation.spec.arms.map((arm) => {
      const digest = digestOfArm(arm) || undefined;
      return { name: arm.name, digest, share: ids.filter((id) => solves(digest, id)).length / ids.length };
    });
    const { gate, samples } = evaluation.spec;
    const shareOf = (name: string | undefined) => arms.find((arm) => arm.name === name)?.share ?? 0;
    const over = (one: number, other: number) => intervalOf(100 * (one - other), 5);
    const gains = arms.map(({ name, share }) => ({
      candidate: name,
      delta: over(share, shareOf(gate?.baseline)),
      ...(name !== gate?.candidate && { lead: over(shareOf(gate?.candidate), share) }),
    }));
    const comparisons = gains.filter(({ candidate }) => candidate !== gate?.baseline);
    const root = this.generations[0]?.status;
    const delta = gains.find(({ candidate }) => candidate === gate?.candidate)?.delta;
    const verdict = delta && { delta, verdict: Number(delta.lower) >= (gate?.thresholdPoints ?? 0) ? "Passed" : "Inconclusive" };
    this.#reports.set(`evaluation-${evaluation.metadata.uid}`, {
      evaluation: { uid: evaluation.metadata.uid },
      samples,
      arms: arms.map(({ name, digest }) => ({ name, ...(digest && { adapterDigest: digest }) })),
      matrix: ids.map((task) => ({
        task,
        passed: Object.fromEntries(arms.map(({ name, digest }) => [name, solves(digest, task) ? samples : 0])),
      })),
    });
    const status = {
      taskSet: part === "Test" ? root?.promotionTaskSet : root?.taskSet,
      arms: arms.map(({ name, share }) => ({ name, completed: 1, total: 1, passAt1: intervalOf(share) })),
      ...(gate && { comparisons, ...verdict }),
      conditions: [this.#now("Succeeded")],
    };
    this.api.put(evaluations, { ...evaluation, status } as Evaluation);
  }

  /** Folds evidence and measurements into status, as the Adapter controller does. */
  #fold(adapter: Adapter): void {
    const { digest } = adapter.spec.artifact;
    const own = [...this.registry.values()].map((each) => JSON.parse(each)).filter((each) => each.adapter.digest === digest);
    const promotion = own.find(({ kind }) => kind === "Promotion");
    const isRetired = own.some(({ kind }) => kind === "Retirement");
    const { champion, ...rest } = adapter.status ?? {};
    const evidence = this.api.all(evaluations).flatMap((evaluation) => this.#measured(evaluation, adapter.metadata.name));
    const status = {
      ...rest,
      ...(promotion ? { champion: promotion.scope, tier: promotion.tier } : champion && !isRetired ? { champion } : {}),
      ...(own.some(({ kind }) => kind === "Archival") && { archived: true }),
      ...(evidence.length > 0 && { evidence }),
    };
    if (JSON.stringify(status) !== JSON.stringify(adapter.status)) this.api.put(adapters, { ...adapter, status } as Adapter);
  }

  #measured({ metadata, spec, status }: Evaluation, adapter: string) {
    const arm = spec.arms.find((each) => each.adapter === adapter)?.name;
    const of = (name: string | undefined) => status?.arms?.find((each) => each.name === name)?.passAt1;
    const [passAt1, base] = [of(arm), of("base")];
    const time = status?.conditions?.[0]?.lastTransitionTime;
    if (!passAt1 || !status?.taskSet || !time) return [];
    return [{ passAt1, base, evaluation: metadata.name, evaluationUID: metadata.uid, time, taskSet: status.taskSet }];
  }

  /** Runs until the last generation has ended, or `holds`; in both cases after the restart of a killed operator. */
  async untilOver(holds: (lab: EvolutionLab) => boolean = isOver, seconds = 900): Promise<void> {
    let isWhole = this.#strike === undefined;
    for (let second = 0; second < seconds; second++) {
      this.proceed();
      if (isWhole && holds(this)) return;
      await this.clock.advance(1000);
      await new Promise((resolve) => setTimeout(resolve, 2));
      if (isWhole || !this.isStruck) continue;
      isWhole = true;
      await this.restart();
    }
    throw new Error(`evolution didn't end: ${JSON.stringify(this.generations.map((each) => conditionsOf(each)))}`);
  }
}

function kindOf({ spec: { sft, generate, merge } }: TrainingRun): Child["kind"] {
  if (sft) return "UnionRetrain";
  if (generate) return "Generate";
  if (merge?.normOf) return "ScaledParent";
  return merge?.combine === "Mean" ? "Mean" : "Merge";
}

function isOver({ generations }: EvolutionLab): boolean {
  const last = generations.at(-1);
  return last !== undefined && isTerminal(last) && !last.status?.next;
}

/** The first generation as a user writes it. */
function rootOf(spec: object = {}): DynamicObject {
  const held = (part: Part) => ({ taskSet: { configMap: { name: "held-out" }, part } });
  const given = {
    serverRef: { name: "qwen" },
    population: { matchLabels: { team: "blue" } },
    fitness: held("Validation"),
    promotion: held("Test"),
    ...spec,
  };
  return { apiVersion, kind: "EvolutionGeneration", metadata: key("parsers"), spec: evolutionGeneration.spec.parse(given) };
}

/** Evidence is keyed by its text instead of a digest. */
const isEvidence = (digest: string) => digest.startsWith("{");
