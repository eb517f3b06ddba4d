import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Registry } from "../clients/registry/registry.ts";
import { cluster, kubectl } from "../cluster/api.ts";
import type { Adapter } from "../crds/kinds/adapter.ts";
import type { ModelServer } from "../crds/kinds/model-server.ts";
import { condition } from "../examples/shared/objects.ts";
import {
  type Fault,
  type Forged,
  forge,
  type Original,
  original,
  unseen,
  withNaN,
  withoutEffect,
  withTurnedMatrix,
} from "./support/bad-adapters.ts";
import {
  baseName,
  bearer,
  canRun,
  complete,
  engineModels,
  enginePod,
  loader,
  namespace,
  offeredModels,
  registryOf,
  server,
} from "./support/installation.ts";
import { create, eventually, messageOf, over, read, readAll, reasonOf, remove } from "./support/objects.ts";
import { forcedSession, goodAdapter, held, type Session } from "./support/sessions.ts";

const otherBase = `sha256:${"0".repeat(64)}`;

describe.skipIf(!canRun)("adapters that must never reach vLLM", { timeout: 240_000 }, () => {
  let adapter: Adapter;
  let good: Original;
  let registry: Registry;
  let bootID: string | undefined;
  let loadsBefore: number;
  const adapters: string[] = [];
  const sessions: string[] = [];
  /** Undoes what was done to the registry's storage, which is kept for the next run. */
  let mend = async () => {};

  beforeAll(async () => {
    adapter = await goodAdapter();
    await held(adapter.metadata.name);
    good = await original(adapter);
    registry = await registryOf(adapter.spec.artifact.repository);
    loadsBefore = await loads();
    expect(loadsBefore).toBeGreaterThan(0);
    bootID = (await read<ModelServer>("ModelServer", namespace, server)).status?.engines?.[0]?.bootID;
  }, 400_000);

  afterAll(async () => {
    await remove("AgentSession", namespace, ...sessions);
    await remove("Adapter", namespace, ...adapters);
    await mend();
  }, 60_000);

  /** Stores the artifact, creates its Adapter and a session that wants only this one. */
  async function wanted(stem: string, fault: Fault, stored: Registry | null = registry): Promise<{ forged: Forged; session: string }> {
    const forged = await forge(stem, good, fault, stored);
    const session = forcedSession(stem, "def solve(x):\n    return x", "assert solve(1) == 1", {
      adapter: { policy: "Fixed", name: forged.name },
    });
    await remove("Adapter", namespace, forged.name);
    await eventually(
      "an earlier run's Adapter is gone",
      () => readAll<Adapter>("Adapter", namespace),
      (all) => all.every(({ metadata }) => metadata.name !== forged.name),
    );
    await create(forged.manifest);
    adapters.push(forged.name);
    await create(session);
    sessions.push(session.metadata.name);
    return { forged, session: session.metadata.name };
  }

  interface Case {
    fault: string;
    stem: string;
    change: Fault;
    reason: string;
    words: RegExp;
  }

  /**
   * The session that wants it fails with this message, the server reports the reason in an Event, and the adapter isn't
   * offered to clients.
   */
  async function refused({ stem, change, reason, words }: Case): Promise<void> {
    const { forged, session } = await wanted(stem, change);
    const ended = await over<Session>("AgentSession", namespace, session);
    expect(reasonOf(ended, "Failed")).toBe("AdapterRefused");
    expect(messageOf(ended, "Failed")).toMatch(words);
    const event = await eventually(
      "the server tells it",
      () => refusals(forged.name),
      (found) => found.length > 0,
      1,
    );
    expect(event[0]).toContain(reason);
    await notServed(forged.name);
  }

  const faults: Case[] = [
    { fault: "NaN in its weights", stem: "bad-nan", change: { weights: withNaN }, reason: "NotFinite", words: /holds NaN/ },
    {
      fault: "a matrix of another shape",
      stem: "bad-shape",
      change: { weights: withTurnedMatrix },
      reason: "ShapeMismatch",
      words: /lora_A and lora_B are .* need/,
    },
    {
      fault: "a truncated file",
      stem: "bad-file",
      change: { weights: (weights) => weights.subarray(0, weights.length - 1000) },
      reason: "NotAnAdapter",
      words: /not a whole safetensors file/,
    },
    {
      fault: "a rank beyond the server's",
      stem: "bad-rank",
      change: { config: (config) => ({ ...config, rank: 128 }), peft: (peft) => ({ ...peft, r: 128 }) },
      reason: "RankTooLarge",
      words: /rank 128.*raise spec\.adapters\.maxRank/,
    },
  ];

  test.for(faults)("one with $fault is refused as $reason, and the session that wants it fails in words", refused);

  test("one that was made for another base is not even asked for, and its session says which base it would need", async () => {
    const { forged, session } = await wanted("bad-base", {
      config: (config) => ({ ...config, base: { ...config.base, digest: otherBase } }),
    });
    const ended = await over<Session>("AgentSession", namespace, session);
    expect(reasonOf(ended, "Failed")).toBe("BaseMismatch");
    expect(messageOf(ended, "Failed")).toContain(otherBase);
    await notServed(forged.name);
  });

  test("one that isn't in the registry is never Ready, and the session that wants it waits and says so", async () => {
    const { forged, session } = await wanted("bad-digest", { weights: unseen }, null);
    const seen = await eventually(
      "the Adapter is stalled",
      () => read<Adapter>("Adapter", namespace, forged.name),
      (each) => reasonOf(each, "Ready") === "ArtifactMissing",
    );
    expect(messageOf(seen, "Ready")).toContain(`the registry has no rune/${namespace}/adapters@${forged.digest}`);
    const waiting = await eventually(
      "the session waits",
      () => read<Session>("AgentSession", namespace, session),
      (each) => messageOf(each, "Ready").includes("isn't verified"),
    );
    expect(condition(waiting, "Failed")?.status).not.toBe("True");
    await notServed(forged.name);
  });

  test.runIf(cluster().embedded)("one whose bytes rotted in the registry's storage is refused as DigestMismatch", async () => {
    const { forged, session } = await rotten();
    const ended = await over<Session>("AgentSession", namespace, session);
    expect(reasonOf(ended, "Failed")).toBe("AdapterRefused");
    expect(messageOf(ended, "Failed")).toMatch(/answered other bytes/);
    await notServed(forged.name);
  });

  test("the loader refuses them even when the operator itself asks", async () => {
    const admin = await loader();
    for (const [reason, fault] of [
      ["BaseMismatch", { config: (config) => ({ ...config, base: { ...config.base, digest: otherBase } }) }],
      ["RankTooLarge", { config: (config) => ({ ...config, rank: 128 }), peft: (peft) => ({ ...peft, r: 128 }) }],
      ["NotFinite", { weights: withNaN }],
    ] satisfies [string, Fault][]) {
      const { name, digest, manifest } = await forge("bad-asked", good, fault, registry);
      const { repository } = manifest.spec.artifact;
      const { base, rank, targetModules } = manifest.spec;
      const registryToken = await bearer([{ repository, actions: ["pull"] }]);
      const state = await admin.load(name, { repository, digest, baseDigest: base.digest, rank, targetModules, registryToken });
      expect(state.adapters.find((each) => each.name === name)).toMatchObject({ state: "Refused", reason });
      await notServed(name);
      await admin.unload(name);
    }
  });

  test("vLLM was not asked to load a single one of them", async () => {
    expect(await loads()).toBe(loadsBefore);
  });

  test("one without effect is found out by its canary and taken off again", async () => {
    const change: Fault = { weights: withoutEffect };
    await refused({ fault: "no effect", stem: "bad-weak", change, reason: "CanaryMismatch", words: /it has no effect on this engine/ });
    expect(await loads()).toBe(loadsBefore + 1);
  });

  test("after all that the same engine's base and good adapter still give real answers, and different ones", async () => {
    const { canary } = good.config;
    if (!canary) throw new Error("the good adapter has no canary");
    const base = await complete(await baseName(), canary.prompt, canary.maxTokens);
    const adapted = await complete(adapter.metadata.name, canary.prompt, canary.maxTokens);
    expect(base.length).toBeGreaterThan(0);
    expect(adapted.length).toBeGreaterThan(0);
    expect(adapted).not.toBe(base);
    expect((await read<ModelServer>("ModelServer", namespace, server)).status?.engines?.[0]?.bootID).toBe(bootID);
  });

  /** Stores a good adapter, and then flips one bit of it in the registry's storage. */
  async function rotten() {
    const bytes = unseen(good.weights);
    const { weights } = await forge("bad-rot", good, { weights: () => bytes }, registry);
    const file = await storedBlob(weights);
    await flipLastBit(file);
    mend = () => flipLastBit(file);
    return await wanted("bad-rot", { weights: () => bytes });
  }
});

/** The file on the registry's volume, which is a directory of this machine. */
async function storedBlob(digest: string): Promise<string> {
  const hex = digest.slice("sha256:".length);
  const claim = await kubectl(["get", "pvc", "rune-registry", "-n", "rune-system", "-o", "jsonpath={.spec.volumeName}"]);
  const volume = JSON.parse(await kubectl(["get", "pv", claim, "-o", "json"])).spec;
  const directory = volume.hostPath?.path ?? volume.local?.path;
  return join(directory, "docker/registry/v2/blobs/sha256", hex.slice(0, 2), hex, "data");
}

async function flipLastBit(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    const byte = Buffer.alloc(1);
    await file.read(byte, 0, 1, size - 1);
    await file.write(Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, size - 1);
  } finally {
    await file.close();
  }
}

/** How often vLLM received a request to load an adapter: it logs each of them. */
async function loads(): Promise<number> {
  const log = await kubectl(["logs", "-n", namespace, (await enginePod()).metadata.name, "-c", "vllm"]);
  return log.split("\n").filter((line) => line.includes("POST /v1/load_lora_adapter")).length;
}

/** Neither offered to clients nor in vLLM. */
async function notServed(name: string): Promise<void> {
  expect((await offeredModels()).map(({ id }) => id)).not.toContain(name);
  expect((await engineModels()).map(({ id }) => id)).not.toContain(name);
}

async function refusals(adapter: string): Promise<string[]> {
  const events = await readAll<{ reason: string; note?: string; message?: string }>("Event", namespace);
  return events.map(({ note, message }) => note ?? message ?? "").filter((text) => text.includes(adapter) && text.includes("was refused"));
}
