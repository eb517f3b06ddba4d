import { Registry } from "@rune/clients/registry/registry";
import { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { Adapter } from "@rune/crds/kinds/adapter";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import type { Cache } from "kopf-ts";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Services } from "../shared/services.ts";
import { aRun } from "../testing/builders.ts";
import { anAdapter } from "../testing/evolution-world.ts";
import { digestOf } from "../testing/objects.ts";
import { readTrainingData } from "./training-data.ts";

const impatient = { now: () => 0, wait: async () => undefined, random: () => 0 };
let memory: MemoryRegistry;
let objects: (Adapter | TrainingRun)[];
beforeEach(async () => {
  memory = await MemoryRegistry.start();
  objects = [];
});
afterEach(() => memory.stop());

const trajectory = (digit: string, repository = "rune/team/trajectories") => ({ repository, digest: digestOf(digit) });

const learnt = (...names: string[]) => {
  const cache = (({ kind }: { kind: string }) => ({
    get: ({ name }: { name: string }) => objects.find((each) => each.kind === kind && each.metadata.name === name),
  })) as unknown as Cache;
  const services = { registry: () => new Registry({ url: memory.url, clock: impatient }) } as unknown as Services;
  return readTrainingData(names, "team", cache, services);
};

/** An Adapter whose run learnt from these. */
function taught(name: string, digits: string[], over: { run?: boolean; parents?: Adapter[] } = {}): Adapter {
  const run = aRun({
    status: { corpus: { digest: digestOf("0"), trajectories: digits.map((digit) => trajectory(digit, "rune/team/corpora")) } },
  });
  const made = { ...run, metadata: { ...run.metadata, name: `run-of-${name}`, uid: `run-of-${name}` } };
  if (over.run !== false) objects.push(made);
  const parents = over.parents?.map(({ metadata, spec }) => ({ name: metadata.name, digest: spec.artifact.digest }));
  const source = { kind: "TrainingRun" as const, name: made.metadata.name, uid: made.metadata.uid };
  const adapter = anAdapter(name, {
    spec: { source, ...(parents && { parents }), artifact: { repository: "rune/team/adapters", digest: push(digits), sizeBytes: 1 } },
  });
  objects.push(adapter);
  return adapter;
}

/** The artifact of an adapter that learnt from these. */
function push(digits: string[]): string {
  const content = { schema: "rune.dev/learnt/v1", trajectories: digits.map(digestOf), tasks: [] };
  const annotations = { "org.opencontainers.image.title": "corpus.json" };
  const layers = [{ mediaType: mediaType.adapterFile, ...memory.put(content), annotations }];
  return memory.put({
    schemaVersion: 2,
    artifactType: mediaType.adapter,
    config: { mediaType: mediaType.empty, ...memory.put({}) },
    layers,
  }).digest;
}

describe("what an adapter has learnt from", () => {
  it("is named by its run, wherever it is, with how it was trained", async () => {
    taught("a", ["1", "2"]);
    expect(await learnt("a")).toMatchObject(
      new Map([["a", { artifacts: [trajectory("1", "rune/team/corpora"), trajectory("2", "rune/team/corpora")] }]]),
    );
    const found = (await learnt("a")) as ReadonlyMap<string, { sft?: object }>;
    expect(found.get("a")?.sft).toMatchObject({ rank: 16 });
  });

  it("is its own session where its run made an adapter of each", async () => {
    const adapter = taught("a", ["2"]);
    const run = objects.find(({ kind }) => kind === "TrainingRun") as TrainingRun;
    const corpus = { digest: digestOf("0"), trajectories: ["1", "2", "3"].map((digit) => trajectory(digit)) };
    const generate = { hypernetwork: { run: "h" }, each: "Session" as const };
    objects = [adapter, { ...run, spec: { ...run.spec, sft: undefined, generate }, status: { corpus } } as unknown as TrainingRun];
    expect(await learnt("a")).toMatchObject(new Map([["a", { artifacts: [trajectory("2")] }]]));
  });

  it("is what all its parents have learnt from where it was merged", async () => {
    const parents = [taught("a", ["1"]), taught("b", ["2"])];
    taught("child", [], { parents });
    const found = (await learnt("child")) as ReadonlyMap<string, { artifacts: object[] }>;
    expect(found.get("child")?.artifacts).toEqual([trajectory("1", "rune/team/corpora"), trajectory("2", "rune/team/corpora")]);
  });

  it("is found in a step for each ancestor, however many ways lead to it", async () => {
    let parents = [taught("a", ["1"]), taught("b", ["2"])];
    for (let generation = 1; generation <= 40; generation += 1)
      parents = ["a", "b"].map((name) => taught(`${name}${generation}`, [], { parents }));
    const found = (await learnt("a40", "b40")) as ReadonlyMap<string, { artifacts: object[] }>;
    expect(found.get("b40")?.artifacts).toEqual([trajectory("1", "rune/team/corpora"), trajectory("2", "rune/team/corpora")]);
  });

  it("is what its artifact says where an adapter names itself as an ancestor", async () => {
    const adapter = taught("a", ["3"], { run: false });
    const { digest } = adapter.spec.artifact;
    objects = [{ ...adapter, spec: { ...adapter.spec, parents: [{ name: "a", digest }] } }];
    expect(await learnt("a")).toEqual(new Map([["a", { artifacts: [trajectory("3")] }]]));
  });

  it("is in its artifact where a run is gone: digests, which are looked for beside the adapters", async () => {
    taught("a", ["3"], { run: false });
    expect(await learnt("a")).toEqual(new Map([["a", { artifacts: [trajectory("3")] }]]));
  });

  it("is nothing where nobody says, and not known while the registry is unavailable", async () => {
    objects.push(anAdapter("imported"));
    expect(await learnt("imported", "nobody")).toEqual(new Map([["imported", { artifacts: [] }]]));
    taught("a", ["3"], { run: false });
    memory.away = true;
    expect(await learnt("a")).toMatchObject({ unavailable: expect.stringContaining("503") });
  });
});
