import { exec } from "node:child_process";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { modelDigest, sha256, sha256File } from "@rune/clients/digest";
import { generateSigningKey } from "@rune/clients/keys";
import { LoaderClient } from "@rune/clients/loader";
import { Registry } from "@rune/clients/registry";
import { registryJWKS, registryToken } from "@rune/clients/registry-token";
import { removeService, type Service, startRegistry } from "@rune/clients/testing/services";
import { type AdapterConfig, mediaType } from "@rune/crds/artifact";
import type { JWK } from "jose";
import { pino } from "pino";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type BaseShapes, readBaseShapes } from "./base-shapes.ts";
import { Engine } from "./engine.ts";
import { type Sidecar, startSidecar } from "./sidecar.ts";
import { peft, safetensors, type TestTensor } from "./testing/fixtures.ts";

/** A running vLLM with run-time LoRA of rank 8, and the directory of its base model. */
const engineURL = process.env.RUNE_TEST_ENGINE_URL;
const baseDirectory = process.env.RUNE_TEST_ENGINE_BASE;
/** A shell command that ends this vLLM and starts it again. */
const restartCommand = process.env.RUNE_TEST_ENGINE_RESTART;
const minutes = 60_000;
const rank = 8;

describe.runIf(engineURL && baseDirectory)("the loader between CNCF Distribution and vLLM", () => {
  const url = engineURL ?? "";
  const base = baseDirectory ?? "";
  const prompt = "The three primary colours are";
  let registry: Service;
  let key: JWK;
  let sidecar: Sidecar;
  let admin: LoaderClient;
  let shapes: BaseShapes;
  let baseName: string;
  let digest: string;

  beforeAll(async () => {
    key = await generateSigningKey();
    registry = await startRegistry(JSON.stringify(registryJWKS(key)));
    shapes = await readBaseShapes(base);
    baseName = (await new Engine({ url }).models()).find((model) => model.parent === undefined)?.id ?? "";
    digest = modelDigest({ "model.safetensors": { sha256: (await sha256File(join(base, "model.safetensors"))).digest.slice(7) } });
    const config = {
      base: { name: baseName, path: base, digest },
      engineURL: url,
      registryURL: registry.url,
      adapterDirectory: await mkdtemp(join(tmpdir(), "rune-adapters-")),
      slots: 2,
      maxRank: rank,
      adminKeys: registryJWKS(key) as { keys: Record<string, unknown>[] },
    };
    sidecar = await startSidecar(config, { podUID: "pod", log: pino({ level: "warn" }), ports: { inference: 0, admin: 0, metrics: 0 } });
    admin = new LoaderClient({ address: `http://127.0.0.1:${sidecar.ports.admin}`, podUID: "pod", key });
    await vi.waitUntil(() => sidecar.liveness.ready, { timeout: 2 * minutes });
  }, 5 * minutes);
  afterAll(async () => {
    for (const { name } of sidecar.residency.state().adapters) await sidecar.residency.remove(name);
    await sidecar.stop();
    await removeService(registry);
  }, 2 * minutes);

  /** Random weights for two modules of every layer, strong enough to change what the base says. */
  const publish = async (seed: number, changed: { value?: (index: number) => number; canary?: AdapterConfig["canary"] } = {}) => {
    const targetModules = ["down_proj", "q_proj"];
    const tensors: Record<string, TestTensor> = {};
    let state = seed;
    const random = () => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return (state / 2 ** 31 - 0.5) * 0.4;
    };
    for (const [path, [inputs, outputs]] of Object.entries(shapes)) {
      if (!targetModules.some((module) => path.endsWith(module))) continue;
      tensors[`base_model.model.${path}.lora_A.weight`] = { shape: [rank, inputs], values: random };
      tensors[`base_model.model.${path}.lora_B.weight`] = { shape: [outputs, rank], values: changed.value ?? random };
    }
    const peftFile = { ...peft(), r: rank, lora_alpha: 16, target_modules: targetModules, base_model_name_or_path: baseName };
    const files = { "adapter_config.json": Buffer.from(JSON.stringify(peftFile)), "adapter_model.safetensors": safetensors(tensors) };
    const config: AdapterConfig = {
      schema: "rune.dev/adapter/v1",
      base: { name: baseName, digest },
      rank,
      alpha: 16,
      targetModules,
      scope: {},
      source: { kind: "Import" },
      parents: [],
      generation: 0,
      ...(changed.canary ? { canary: changed.canary } : {}),
      files: Object.fromEntries(
        Object.entries(files).map(([name, bytes]) => [name, { sha256: sha256(bytes).slice(7), sizeBytes: bytes.length }]),
      ),
    };
    const repository = "rune/test/adapters";
    const token = (actions: ("pull" | "push")[]) =>
      registryToken(key, { access: [{ repository, actions }], subject: "test", seconds: 600 });
    const pushed = await new Registry({ url: registry.url, token: () => token(["pull", "push"]) }).push({
      ...{ repository, config, artifactType: mediaType.adapter, configMediaType: mediaType.adapter },
      files: Object.entries(files).map(([title, bytes]) => ({ title, bytes, mediaType: mediaType.adapterFile })),
    });
    const request = { repository, digest: pushed.digest, baseDigest: digest, rank, targetModules, registryToken: await token(["pull"]) };
    return { name: `random-${pushed.digest.slice(7, 23)}`, request };
  };
  const load = async ({ name, request }: Awaited<ReturnType<typeof publish>>) =>
    (await admin.load(name, request)).adapters.find((adapter) => adapter.name === name);
  const ask = async (model: string) => {
    const body = JSON.stringify({ model, prompt, max_tokens: 8, temperature: 0 });
    const headers = { "content-type": "application/json" };
    const answer = await fetch(`http://127.0.0.1:${sidecar.ports.inference}/v1/completions`, { method: "POST", headers, body });
    return answer.status === 200 ? ((await answer.json()) as { choices: { text: string }[] }).choices[0]?.text : answer.status;
  };

  it(
    "loads and proves an adapter, recognises it by its recorded answer, and unloads it",
    async () => {
      const first = await publish(1, { canary: { prompt, maxTokens: 8, adapterText: "unlike any answer", baseText: "" } });
      const loaded = await load(first);
      expect(loaded).toMatchObject({ state: "Loaded", canary: "Unknown" });
      const answers = loaded?.answers ?? { adapter: "", base: "" };
      expect(answers.adapter).not.toBe(answers.base);
      expect(await ask(first.name)).toBe(answers.adapter);
      expect(await ask(baseName)).toBe(answers.base);

      const again = await publish(1, { canary: { prompt, maxTokens: 8, adapterText: answers.adapter, baseText: answers.base } });
      expect(await load(again)).toMatchObject({ state: "Loaded", canary: "Matched" });
      const third = await publish(3);
      expect(await load(third)).toMatchObject({ state: "Refused", reason: "NoAdapterSlot" });
      await admin.unload(first.name);
      await admin.unload(again.name);
      expect(await ask(first.name)).toBe(404);
      expect(sidecar.residency.state().engine.bootID).toMatch(/^1\.?\d+/);
    },
    10 * minutes,
  );

  it.runIf(restartCommand)(
    "gives a restarted engine its adapter back within two seconds of being healthy",
    async () => {
      const adapter = await publish(7);
      await load(adapter);
      const before = (await admin.state()).engine.bootID;
      await promisify(exec)(restartCommand ?? "");
      await vi.waitUntil(() => !sidecar.liveness.ready, { timeout: minutes });
      const answers = () =>
        fetch(`${url}/health`).then(
          ({ ok }) => ok,
          () => false,
        );
      await vi.waitUntil(answers, { timeout: 9 * minutes, interval: 50 });
      const healthy = Date.now();
      await vi.waitUntil(async () => (await admin.state()).adapters[0]?.state === "Loaded", { timeout: minutes, interval: 50 });
      expect(Date.now() - healthy).toBeLessThan(2_000);
      await vi.waitUntil(async () => typeof (await ask(adapter.name)) === "string", { timeout: minutes });
      expect((await admin.state()).engine.bootID).not.toBe(before);
      await admin.unload(adapter.name);
    },
    10 * minutes,
  );

  it(
    "keeps NaN away from the engine, and takes an adapter without effect off again",
    async () => {
      const poison = await publish(5, { value: (index) => (index === 100 ? Number.NaN : 0.1) });
      expect(await load(poison)).toMatchObject({ state: "Refused", reason: "NotFinite" });
      const canary = { prompt, maxTokens: 8, adapterText: "something else", baseText: "recorded" };
      const weak = await publish(6, { value: () => 1e-20, canary });
      expect(await load(weak)).toMatchObject({ state: "Refused", reason: "CanaryMismatch" });
      const served = await new Engine({ url }).models();
      expect(served.map((model) => model.id)).toEqual([baseName]);
      expect(await ask(baseName)).toEqual(expect.stringMatching(/\w/));
    },
    10 * minutes,
  );
});
