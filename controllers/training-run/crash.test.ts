import { Registry } from "@rune/clients/registry/registry";
import { MemoryRegistry } from "@rune/clients/testing/memory-registry";
import { mediaType } from "@rune/crds/contracts/artifact";
import { type TrainingRun, trainingRun } from "@rune/crds/kinds/training-run";
import { apiVersion } from "@rune/crds/words/group";
import { isTrue, jobs } from "kopf-ts";
import type { FakeApiServer } from "kopf-ts/testing";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { adapters, trainingRuns } from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { Interrupted, type Story, strikes } from "../testing/interrupted.ts";
import { adapter, config, digestOf, metadata } from "../testing/objects.ts";
import { register } from "./controller.ts";

/** A whole run against an API server, interrupted after each write, before or after it is applied. */
const base = { name: "coder", digest: digestOf("d") };
const sourceOf = (uid: string) => ({ kind: "TrainingRun", name: "houses", uid });

let registry: MemoryRegistry;
beforeAll(async () => {
  registry = await MemoryRegistry.start();
});
afterAll(() => registry.stop());

let run: Interrupted;
afterEach(() => run.stop());

const services = {
  config,
  registry: () => new Registry({ url: registry.url, clock: { now: () => Date.now(), wait: async () => undefined, random: () => 0 } }),
  registryToken: async () => "token",
  natsCredentials: async () => "credentials",
  progress: () => undefined,
  onNotice: () => undefined,
} as unknown as Services;

function artifact(artifactType: string, configuration: object, more: { annotations?: object; tag?: string } = {}): string {
  const blob = { mediaType: artifactType, ...registry.put(configuration) };
  const manifest = { schemaVersion: 2, artifactType, config: blob, layers: [], annotations: more.annotations };
  return registry.put(manifest, more.tag).digest;
}

function hypernetwork(uid: string): string {
  const shape = { rank: 8, targetModules: ["down_proj"], chunkTokens: 512, maxChunks: 7 };
  const made = { schema: "rune.dev/hypernetwork/v1", base, ...shape, source: sourceOf(uid), collapsed: false, settings: {}, files: {} };
  return artifact(mediaType.hypernetwork, made, { tag: `run-${uid}` });
}

function anAdapter(uid: string, { tag, ...more }: { tag?: string; session?: object; parents?: object[]; control?: boolean }): string {
  const shape = { rank: 16, alpha: 16, targetModules: ["down_proj"], scope: { project: "tessera" }, parents: [], generation: 0 };
  return artifact(mediaType.adapter, { schema: "rune.dev/adapter/v1", base, ...shape, source: sourceOf(uid), files: {}, ...more }, { tag });
}

function indexOf(sessions: readonly string[], uid: string): string {
  const digests = sessions.map((session) => anAdapter(uid, { session: { namespace: "default", name: session, uid: session } }));
  const manifests = digests.map((digest) => ({ mediaType: mediaType.manifest, digest, size: 400 }));
  return registry.put({ schemaVersion: 2, mediaType: mediaType.index, artifactType: mediaType.adapters, manifests }, `run-${uid}`).digest;
}

/** What the trainer of a run with this UID stores under its tag, and its termination message. */
interface Trained {
  readonly repository: string;
  readonly store: (uid: string) => string;
  readonly words?: object;
}

const hypernetworks = "rune/default/hypernetworks";
const repository = "rune/default/adapters";
const trained: Trained = { repository: hypernetworks, store: hypernetwork };
const generated: Trained = {
  repository,
  store: (uid) => indexOf(["s1", "s2", "s3"], uid),
  words: { adapters: 3 },
};
const told = { sizeBytes: 1000, examples: 60, steps: 0, trainingLoss: 0, deltaWNorm: 2, durationSeconds: 3 };

const find = (api: FakeApiServer) => api.find(trainingRuns, { namespace: "default", name: "houses" }) as TrainingRun;

/** What a run stores that makes one adapter. */
const aloneOf = (more: { parents?: object[]; control?: boolean } = {}): Trained => ({
  repository,
  store: (uid) => anAdapter(uid, { tag: `run-${uid}`, ...more }),
});

/** On a busy machine the run is seen once more before its last status arrives, and that status is written again. */
const statusAgain = 1;

/** Adapters that are merged or imitated. */
const parents = ["left-1111111111111111", "right-2222222222222222"];

/** A whole run; with `heard` false its trainer's termination message is lost with the pod. */
const storyOf = (method: () => object, { repository, store, words }: Trained, heard = true): Story => ({
  register: (manager) => register(manager, services),
  begin(api) {
    const digest = artifact(mediaType.model, { schema: "rune.dev/model/v1", ...base, files: {} });
    const corpus = artifact(mediaType.corpus, {}, { annotations: { "dev.rune.corpus.count": "60", "dev.rune.corpus.solved": "60" } });
    const spec = trainingRun.spec.parse({
      base: { oci: { repository: "rune/models/coder", digest } },
      corpus: { artifact: { repository: "rune/default/corpora", digest: corpus } },
      ...method(),
    });
    const made: TrainingRun = { apiVersion, kind: "TrainingRun", metadata: metadata("houses"), spec };
    for (const [index, name] of parents.entries())
      api.put(adapters, adapter(name, { spec: { base, artifact: { repository, digest: digestOf(String(index + 1)), sizeBytes: 9 } } }));
    api.put(trainingRuns, made);
  },
  proceed(run) {
    for (const job of run.api.all(jobs)) {
      if (job.status) continue;
      const digest = store(find(run.api).metadata.uid);
      run.complete(job, heard ? { ...told, ...words, repository, digest } : undefined);
    }
  },
  subject: find,
  made: [jobs, adapters],
});

/** Objects of each kind that a run has ever made: the parents were there before. */
const madeBy = ({ made: { Job = 0, Adapter = 0 } }: Interrupted) => ({ Job, Adapter: Adapter - parents.length });

const trains = storyOf(() => ({ hypernetwork: {} }), trained);
const generates = (heard?: boolean) => {
  const generate = () => ({ hypernetwork: { repository: hypernetworks, digest: hypernetwork("another") }, each: "Session" });
  return storyOf(() => ({ generate: generate() }), generated, heard);
};

const endsWell = () => {
  expect(isTrue(find(run.api), "Succeeded")).toBe(true);
  expect(find(run.api).status?.attempts).toMatchObject([{ number: 1, result: "Succeeded" }]);
  expect(run.api.faultsLeft).toBe(0);
};

describe("a run that trains a hypernetwork", () => {
  const writes = 13;

  it("makes one Job and no Adapter", async () => {
    run = await Interrupted.run(trains);
    endsWell();
    expect(madeBy(run)).toEqual({ Job: 1, Adapter: 0 });
    expect(run.writes, "more wouldn't be struck").toBeLessThanOrEqual(writes + statusAgain);
  });

  it.each(strikes(writes))("makes no second Job and ends with its one result, killed %s write %i", async (_, __, strike) => {
    run = await Interrupted.run(trains, strike);
    endsWell();
    expect(madeBy(run)).toEqual({ Job: 1, Adapter: 0 });
    expect(find(run.api).status?.result?.repository).toBe(hypernetworks);
  });
});

describe("a run that generates an adapter of each session", () => {
  const writes = 18;
  const sessions = () => run.api.all(adapters).flatMap(({ metadata: { labels } }) => labels?.["rune.dev/session"] ?? []);
  const each = () => {
    endsWell();
    expect(madeBy(run)).toEqual({ Job: 1, Adapter: 3 });
    expect(sessions().sort()).toEqual(["s1", "s2", "s3"]);
    expect(find(run.api).status?.adapters).toEqual({ created: 3, total: 3 });
  };

  it("makes one Job and an Adapter of each", async () => {
    run = await Interrupted.run(generates());
    each();
    expect(run.writes, "more wouldn't be struck").toBeLessThanOrEqual(writes + statusAgain);
  });

  it.each(strikes(writes))("makes each Adapter exactly once, killed %s write %i", async (_, __, strike) => {
    run = await Interrupted.run(generates(), strike);
    each();
  });

  it.each(strikes(writes, ["after"]))("and where its trainer's words were lost, killed %s write %i", async (_, __, strike) => {
    run = await Interrupted.run(generates(false), strike);
    each();
  });
});

describe.each<[string, () => object, Trained, number]>([
  ["fine-tunes", () => ({ sft: {} }), aloneOf(), 15],
  ["merges", () => ({ corpus: undefined, merge: { adapters: parents } }), aloneOf({ parents: [] }), 15],
  ["makes a control", () => ({ corpus: undefined, control: { like: parents[0] } }), aloneOf({ control: true }), 15],
])("a run that %s", (_, method, alone, writes) => {
  const one = () => {
    endsWell();
    expect(madeBy(run)).toEqual({ Job: 1, Adapter: 1 });
    const [made, ...others] = run.api.all(adapters).filter(({ metadata }) => !parents.includes(metadata.name));
    expect(others).toEqual([]);
    expect(find(run.api).status).toMatchObject({ adapter: made?.metadata.name, result: { digest: made?.spec.artifact.digest } });
  };

  it("makes one Job and one Adapter", async () => {
    run = await Interrupted.run(storyOf(method, alone));
    one();
    expect(run.writes, "more wouldn't be struck").toBeLessThanOrEqual(writes + statusAgain);
  });

  it.each(strikes(writes))("makes no second Job and no second Adapter, killed %s write %i", async (_, __, strike) => {
    run = await Interrupted.run(storyOf(method, alone), strike);
    one();
  });

  it.each(strikes(writes, ["after"]))("and where its trainer's words were lost, killed %s write %i", async (_, __, strike) => {
    run = await Interrupted.run(storyOf(method, alone, false), strike);
    one();
  });
});
