import { mkdtemp, readdir, stat, writeFile } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { LoaderClient, LoaderUnavailable } from "@rune/clients/loader/loader";
import { generateSigningKey } from "@rune/operator/credentials/keys";
import { loaderToken } from "@rune/operator/credentials/loader-token";
import { registryJWKS } from "@rune/operator/credentials/registry-token";
import type { JWK } from "jose";
import { pino } from "pino";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Sidecar, startSidecar } from "./sidecar.ts";
import { FakeEngine } from "./testing/fake-engine.ts";
import { FakeRegistry } from "./testing/fake-registry.ts";
import { adapterArtifact, baseDigest, hidden, loraTensors, peft, rank, type TestArtifact, writeBase } from "./testing/fixtures.ts";

let engine: FakeEngine;
let registry: FakeRegistry;
let key: JWK;
let sidecar: Sidecar;
let admin: LoaderClient;
let directory: string;
let urls: { engine: string; registry: string };

const slots = 2;
const startLoader = async () => {
  const config = {
    base: { name: "tiny", path: join(directory, "base"), digest: baseDigest },
    engineURL: urls.engine,
    registryURL: urls.registry,
    adapterDirectory: join(directory, "adapters"),
    slots,
    maxRank: 8,
    adminKeys: registryJWKS(key) as { keys: Record<string, unknown>[] },
  };
  const ports = { inference: 0, admin: 0, metrics: 0 };
  sidecar = await startSidecar(config, {
    podUID: "pod",
    log: pino({ level: "silent" }),
    ports,
    tickMilliseconds: 10,
    drainMilliseconds: 3_000,
  });
  admin = new LoaderClient({ address: `http://127.0.0.1:${sidecar.ports.admin}`, token: () => loaderToken(key, "pod", Date.now()) });
};
const ready = () => expect.poll(() => sidecar.health.ready).toBe(true);

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "rune-sidecar-"));
  await writeBase(join(directory, "base"));
  engine = new FakeEngine({ base: "tiny", maxRank: 8 });
  registry = new FakeRegistry();
  urls = { engine: await engine.start(), registry: await registry.start() };
  key = await generateSigningKey();
  await startLoader();
  await ready();
});
afterEach(async () => {
  await sidecar.stop();
  await engine.stop();
  await registry.stop();
});

const load = async (artifact: TestArtifact, request = artifact.request) => {
  registry.add(artifact);
  const state = await admin.load(artifact.name, request);
  return state.adapters.find((adapter) => adapter.name === artifact.name);
};
const ask = (model: unknown, extra: object = {}, path = "/v1/completions") =>
  fetch(`http://127.0.0.1:${sidecar.ports.inference}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ model, prompt: "p", ...extra }),
  });
const inFlight = async () =>
  /rune_loader_in_flight (\d+)/.exec(await (await fetch(`http://127.0.0.1:${sidecar.ports.metrics}/metrics`)).text())?.[1];
const wanting = (...names: string[]) => expect.poll(async () => (await admin.state()).wanted).toEqual(names);
const textOf = async (answer: Response) => ((await answer.json()) as { choices: { text: string }[] }).choices[0]?.text;

const zero = Object.fromEntries(Object.entries(loraTensors()).map(([name, tensor]) => [name, { ...tensor, values: () => 0 }]));

describe("loading", () => {
  it("pulls, checks, loads and proves an adapter, and then routes to it", async () => {
    const artifact = adapterArtifact();
    expect(await load(artifact)).toMatchObject({
      state: "Loaded",
      canary: "Matched",
      answers: { adapter: " pare(x)", base: " the knife" },
    });
    expect(await textOf(await ask(artifact.name))).toBe(" pare(x)");
    const place = join(directory, "adapters", artifact.name);
    expect((await stat(place)).mode & 0o777).toBe(0o755);
    expect((await stat(join(place, "adapter_model.safetensors"))).mode & 0o777).toBe(0o644);
    expect(await readdir(join(directory, "adapters"))).toEqual([artifact.name]);
  });

  it("leaves what an adapter learnt from, and how, where it is", async () => {
    const artifact = adapterArtifact({ extraFiles: ["corpus.json", "training.json"] });
    expect(await load(artifact)).toMatchObject({ state: "Loaded", canary: "Matched" });
    expect((await readdir(join(directory, "adapters", artifact.name))).sort()).toEqual([
      ".rune-adapter.json",
      "adapter_config.json",
      "adapter_model.safetensors",
    ]);
  });

  it("loads a control, which has no effect and no canary", async () => {
    const artifact = adapterArtifact({ tensors: zero, config: { control: true, canary: undefined } });
    engine.answers[artifact.name] = engine.baseAnswer;
    expect(await load(artifact)).toMatchObject({ state: "Loaded", canary: "Unknown" });
  });

  it("does it once however often it is asked, at the same time or later", async () => {
    const artifact = adapterArtifact();
    registry.add(artifact);
    const states = await Promise.all([1, 2, 3].map(() => load(artifact)));
    states.push(await load(artifact));
    expect(states.map((state) => state?.state)).toEqual(["Loaded", "Loaded", "Loaded", "Loaded"]);
    expect(engine.loads).toEqual([artifact.name]);
    expect(registry.pulls).toHaveLength(4);
  });

  const first = "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight";
  const nan = { ...loraTensors(), [first]: { shape: [rank, hidden], values: () => Number.NaN } };
  const wide = { ...loraTensors(), [first]: { shape: [rank, hidden * 2] } };
  it.each([
    ["NotFinite", { tensors: nan }, {}],
    ["AllZero", { tensors: zero }, {}],
    ["ShapeMismatch", { tensors: wide }, {}],
    ["NotAnAdapter", { weights: Buffer.from("truncated") }, {}],
    ["NotAnAdapter", { extraFiles: ["evil.py"] }, {}],
    ["UnknownModule", {}, { targetModules: ["lm_head"] }],
    ["RankTooLarge", { tensors: loraTensors(16), peft: peft({ r: 16 }), config: { rank: 16 } }, { rank: 16 }],
    ["NotAnAdapter", {}, { rank: 8 }],
    ["BaseMismatch", { config: { base: { name: "other", digest: `sha256:${"0".repeat(64)}` } } }, {}],
    ["BaseMismatch", {}, { baseDigest: `sha256:${"0".repeat(64)}` }],
    ["NotAnAdapter", { config: { files: {} } }, {}],
    ["NotAnAdapter", { config: { rank: "four" as never } }, {}],
  ] as const)("refuses as %s before the engine hears of it, and doesn't try the same bytes again", async (reason, wrong, request) => {
    const artifact = adapterArtifact(wrong as Parameters<typeof adapterArtifact>[0]);
    const asked = { ...artifact.request, ...request } as TestArtifact["request"];
    expect(await load(artifact, asked)).toMatchObject({ state: "Refused", reason, message: expect.any(String) });
    const pulls = registry.pulls.length;
    expect(await load(artifact, asked)).toMatchObject({ state: "Refused", reason });
    expect(registry.pulls).toHaveLength(pulls);
    expect(engine.loads).toEqual([]);
    expect(await readdir(join(directory, "adapters"))).toEqual([]);
    expect((await ask(artifact.name)).status).toBe(404);
  });

  it("refuses bytes that are not those of the digest", async () => {
    const artifact = adapterArtifact();
    registry.add(artifact);
    const weights = `sha256:${artifact.config.files["adapter_model.safetensors"]?.sha256}`;
    registry.blobs.set(weights, Buffer.alloc(artifact.files["adapter_model.safetensors"]?.length ?? 0));
    const state = await admin.load(artifact.name, artifact.request);
    expect(state.adapters[0]).toMatchObject({ state: "Refused", reason: "DigestMismatch" });
  });

  it("refuses a name that doesn't end in its digest", async () => {
    const artifact = adapterArtifact();
    registry.add(artifact);
    const state = await admin.load("tessera-0000000000000000", artifact.request);
    expect(state.adapters).toMatchObject([{ name: "tessera-0000000000000000", state: "Refused", reason: "DigestMismatch" }]);
    expect((await admin.state()).adapters).toEqual([]);
  });

  it("tries again what wasn't there yet", async () => {
    const artifact = adapterArtifact();
    const missing = await admin.load(artifact.name, artifact.request);
    expect(missing.adapters[0]).toMatchObject({ state: "Refused", reason: "ArtifactMissing" });
    expect(await load(artifact)).toMatchObject({ state: "Loaded" });
  });

  it("has no slot for one more, anyone who is on the way, and says who has them", async () => {
    const [one, two, three] = ["one", "two", "three"].map((name) => adapterArtifact({ name, config: { generation: name.length } }));
    if (!one || !two || !three) throw new Error("three artifacts");
    await Promise.all([load(one), load({ ...two, name: two.name })]);
    const refused = await load(adapterArtifact({ name: "three", config: { generation: 99 } }));
    expect(refused).toMatchObject({ state: "Refused", reason: "NoAdapterSlot", message: expect.stringContaining(one.name) });
    await admin.unload(one.name);
    expect(await load(adapterArtifact({ name: "three", config: { generation: 99 } }))).toMatchObject({ state: "Loaded" });
  });

  it("takes an adapter without effect off again", async () => {
    const artifact = adapterArtifact();
    engine.answers[artifact.name] = engine.baseAnswer;
    expect(await load(artifact)).toMatchObject({ state: "Refused", reason: "CanaryMismatch", canary: "Mismatched" });
    expect(engine.held).toEqual([]);
    expect((await ask(artifact.name)).status).toBe(404);
  });

  it("doesn't offer an adapter again to an engine that refused it, because with two ranks that ends it; only a new engine is asked", async () => {
    const artifact = adapterArtifact();
    engine.ranks = 2;
    engine.refusing = true;
    expect(await load(artifact)).toMatchObject({
      state: "Refused",
      reason: "EngineRefused",
      message: expect.stringContaining("out of luck"),
    });
    const before = (await admin.state()).engine.bootID;
    await engine.restart();
    await expect.poll(async () => (await admin.state()).engine.bootID).not.toBe(before);
    await ready();
    await wait(100);
    expect(engine.loads).toHaveLength(1);
    engine.ranks = 1;
    expect(await load(artifact)).toMatchObject({ state: "Refused", reason: "EngineRefused" });
    expect(await load(artifact)).toMatchObject({ state: "Refused", reason: "EngineRefused" });
    expect(engine.loads).toHaveLength(2);
  });
});

describe("the engine's comings and goings", () => {
  it("gives a restarted engine its adapters back within two seconds, under another boot id", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    const before = (await admin.state()).engine.bootID;
    await engine.restart();
    const healthy = Date.now();
    await expect.poll(async () => (await ask(artifact.name)).status).toBe(200);
    expect(Date.now() - healthy).toBeLessThan(2_000);
    await expect.poll(async () => (await admin.state()).engine.bootID).not.toBe(before);
    expect(engine.loads).toEqual([artifact.name, artifact.name]);
  });

  it("doesn't blame an adapter that answered before for an engine that ends while it is proven again", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    let open = () => {};
    engine.gate = new Promise((resolve) => {
      open = resolve;
    });
    const asked = engine.completions.length;
    await engine.restart();
    await expect.poll(() => engine.completions.length).toBeGreaterThan(asked);
    engine.ending = true;
    open();
    await expect.poll(async () => (await admin.state()).adapters[0]?.message).toContain("EngineCore encountered an issue");
    // Until the engine has exited, the adapter counts as loaded and fails its canary again at every tick.
    expect(["Staging", "Loaded"]).toContain((await admin.state()).adapters[0]?.state);
    expect((await admin.state()).adapters[0]?.canary).toBe("Matched");
    await engine.restart();
    await expect.poll(async () => (await ask(artifact.name)).status).toBe(200);
  });

  it("notices a restart also where the engine doesn't say when it started", async () => {
    engine.startTimeInMetrics = false;
    await engine.restart();
    const artifact = adapterArtifact();
    await expect.poll(async () => (await load(artifact).catch(() => undefined))?.state).toBe("Loaded");
    const before = (await admin.state()).engine.bootID;
    await engine.restart();
    await expect.poll(() => engine.held).toEqual([artifact.name]);
    await expect.poll(async () => (await admin.state()).engine.bootID).not.toBe(before);
  });

  it("says 503 and when to come back while the engine is unavailable, and keeps the wish", async () => {
    const artifact = adapterArtifact();
    await engine.stop();
    await expect.poll(() => sidecar.health.ready).toBe(false);
    const refused = await load(artifact).catch((error) => error);
    expect(refused).toBeInstanceOf(LoaderUnavailable);
    expect(refused.retryAfterSeconds).toBe(2);
    const answer = await ask("tiny");
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    await engine.start();
    await expect.poll(() => engine.held).toEqual([artifact.name]);
    await expect.poll(async () => (await ask(artifact.name)).status).toBe(200);
  });

  it("asks for the registry's return, too", async () => {
    registry.down = true;
    const artifact = adapterArtifact();
    const error = await load(artifact).catch((caught) => caught);
    expect(error).toBeInstanceOf(LoaderUnavailable);
    registry.down = false;
    expect(await load(artifact)).toMatchObject({ state: "Loaded" });
  }, 30_000);

  it("doesn't load again what changed on the disk", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    await writeFile(join(directory, "adapters", artifact.name, "adapter_model.safetensors"), "tampered");
    await engine.restart();
    await expect.poll(async () => (await admin.state()).adapters[0]).toMatchObject({ state: "Refused", reason: "DigestMismatch" });
    expect(engine.held).toEqual([]);
  });

  it("unloads what nobody asked for", async () => {
    engine.smuggle("stray", "/elsewhere");
    await expect.poll(() => engine.held).toEqual([]);
    expect(engine.unloads).toContain("stray");
  });

  it("holds after its own restart what it held before, without loading it twice", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    await sidecar.stop();
    await startLoader();
    await ready();
    await expect
      .poll(async () => (await admin.state()).adapters[0])
      .toMatchObject({ name: artifact.name, state: "Loaded", canary: "Matched" });
    expect(engine.loads).toEqual([artifact.name]);
  });
});

describe("unloading", () => {
  it("waits for open requests, takes no new ones, and deletes the files", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    let release = () => undefined as undefined;
    engine.gate = new Promise((resolve) => {
      release = () => resolve() as undefined;
    });
    const open = ask(artifact.name);
    await expect.poll(() => engine.completions.filter((model) => model === artifact.name).length).toBe(2);
    const unloading = admin.unload(artifact.name);
    await wait(50);
    const late = ask(artifact.name);
    await wanting(artifact.name);
    expect(engine.held).toEqual([artifact.name]);
    release();
    expect((await open).status).toBe(200);
    expect((await unloading).adapters).toEqual([]);
    await admin.answer(artifact.name, { message: "it is gone" });
    expect((await late).status).toBe(404);
    expect(engine.held).toEqual([]);
    expect(await readdir(join(directory, "adapters"))).toEqual([]);
  });

  it("is done also for what isn't there", async () => {
    expect((await admin.unload("never-there")).adapters).toEqual([]);
  });
});

describe("the inference port", () => {
  const get = (path: string) => fetch(`http://127.0.0.1:${sidecar.ports.inference}${path}`);

  it("passes chat, completions and streams on", async () => {
    expect(await textOf(await ask("tiny"))).toBe(" the knife");
    expect((await ask("tiny", { messages: [] }, "/v1/chat/completions")).status).toBe(200);
    const stream = await ask("tiny", { stream: true });
    expect(stream.headers.get("content-type")).toContain("text/event-stream");
    expect(await stream.text()).toContain("data: [DONE]");
  });

  it.each([
    "/v1/load_lora_adapter",
    "/v1/unload_lora_adapter",
    "/v1/embeddings",
    "/collective_rpc",
    "/sleep",
    "/metrics",
    "/v1//completions",
    "/v1/completions/../load_lora_adapter",
  ])("never passes %s on", async (path) => {
    const before = [engine.loads.length, engine.unloads.length];
    expect((await ask("tiny", { lora_name: "x", lora_path: "/x" }, path)).status).toBe(404);
    expect([engine.loads.length, engine.unloads.length]).toEqual(before);
  });

  it.each(["gpt-4", "tessera", "tessera-0123456789abcde", "Tessera-0123456789abcdef"])("has no model %s, now or later", async (name) => {
    expect((await ask(name)).status).toBe(404);
  });

  it("lists the base and what is routable", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    engine.smuggle("stray", "/elsewhere");
    const { data } = (await (await get("/v1/models")).json()) as { data: { id: string }[] };
    expect(data.map(({ id }) => id)).toEqual(["tiny", artifact.name]);
  });

  it("ends a request whose client has gone", async () => {
    engine.gate = new Promise(() => undefined);
    const client = new AbortController();
    const asking = fetch(`http://127.0.0.1:${sidecar.ports.inference}/v1/completions`, {
      method: "POST",
      body: JSON.stringify({ model: "tiny", prompt: "p" }),
      signal: client.signal,
    }).catch(() => undefined);
    await expect.poll(inFlight).toBe("1");
    client.abort();
    await asking;
    await expect.poll(inFlight).toBe("0");
  });

  it("refuses what would do the engine harm, by the field's name", async () => {
    const answer = await ask("tiny", { vllm_xargs: { a: 1 } });
    const error = { message: expect.stringContaining("vllm_xargs"), type: "BadRequestError", param: "vllm_xargs", code: 400 };
    expect([answer.status, await answer.json()]).toEqual([400, { error }]);
  });

  it("wants a model's name and JSON", async () => {
    expect((await ask(undefined)).status).toBe(400);
    expect((await ask(7)).status).toBe(400);
    const answer = await fetch(`http://127.0.0.1:${sidecar.ports.inference}/v1/completions`, { method: "POST", body: "no json" });
    expect(((await answer.json()) as { error: { message: string } }).error.message).toContain("`model`");
  });

  it("reads no more bodies at once than it has memory for, and goes on when their clients have gone", async () => {
    const large = { "content-type": "application/json", "content-length": 16 * 1024 * 1024 };
    const open = Array.from({ length: 8 }, () => {
      const path = `http://127.0.0.1:${sidecar.ports.inference}/v1/completions`;
      const client = httpRequest(path, { method: "POST", headers: large }).on("error", () => undefined);
      client.flushHeaders();
      return client;
    });
    await expect.poll(async () => (await ask("tiny")).status).toBe(429);
    const refused = await ask("tiny");
    expect(refused.headers.get("retry-after")).toBe("2");
    expect(await refused.json()).toMatchObject({ error: { message: "too many large requests are open", code: 429 } });
    for (const client of open) client.destroy();
    await expect.poll(async () => (await ask("tiny")).status).toBe(200);
  });

  it.runIf(Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === "::1")))(
    "is reached over IPv6 as over IPv4",
    async () => {
      for (const host of ["127.0.0.1", "[::1]"])
        expect((await fetch(`http://${host}:${sidecar.ports.metrics}/healthz`)).status, host).toBe(200);
    },
  );

  it("counts what happened for Prometheus", async () => {
    await load(adapterArtifact());
    await (await ask("tiny")).text();
    const text = await (await fetch(`http://127.0.0.1:${sidecar.ports.metrics}/metrics`)).text();
    expect(text).toContain('rune_loader_adapters{state="Loaded"} 1');
    expect(text).toContain("rune_loader_engine_ready 1");
    expect(text).toContain('rune_loader_request_seconds_count{path="/v1/completions",status="200"} 1');
    expect(text).toContain('rune_loader_canaries_total{result="Matched"} 1');
  });

  it("is ready when the engine and every wanted adapter are, and alive anyway", async () => {
    const page = (path: string) => fetch(`http://127.0.0.1:${sidecar.ports.metrics}${path}`);
    await expect.poll(async () => (await page("/readyz")).status).toBe(200);
    let open = () => undefined as undefined;
    registry.gate = new Promise((resolve) => {
      open = () => resolve() as undefined;
    });
    const loading = load(adapterArtifact());
    await expect.poll(async () => (await admin.state()).adapters[0]?.state).toBe("Staging");
    expect((await page("/readyz")).status).toBe(200);
    expect((await page("/spoilt")).status).toBe(404);
    open();
    await loading;
    await engine.stop();
    await expect.poll(async () => (await page("/readyz")).status).toBe(503);
    expect((await page("/healthz")).status).toBe(200);
    expect((await get("/health")).status).toBe(503);
  });
});

describe("an adapter that isn't here", () => {
  const invented = "tessera-0123456789abcdef";

  it("is told to the operator once, however many ask for it, and they are answered when it is loaded", async () => {
    const artifact = adapterArtifact();
    const watching = admin.wanted(0);
    const asking = [1, 2, 3].map(() => ask(artifact.name));
    expect(await watching).toMatchObject({ wanted: [artifact.name] });
    await wanting(artifact.name);
    await load(artifact);
    expect(await Promise.all(asking.map(async (each) => await textOf(await each)))).toEqual([" pare(x)", " pare(x)", " pare(x)"]);
    expect(engine.loads).toEqual([artifact.name]);
    await wanting();
  });

  it("is waited for while it is on its way", async () => {
    const artifact = adapterArtifact();
    let open = () => undefined as undefined;
    registry.gate = new Promise((resolve) => {
      open = () => resolve() as undefined;
    });
    const loading = load(artifact);
    const asking = ask(artifact.name);
    await wanting(artifact.name);
    open();
    await loading;
    expect((await asking).status).toBe(200);
  });

  it("that doesn't exist is a 404 with the operator's words, remembered for a while", async () => {
    const asking = ask(invented);
    await wanting(invented);
    await admin.answer(invented, { message: "there is no such Adapter" });
    const error = { message: "there is no such Adapter", type: "NotFoundError", param: null, code: 404 };
    expect([(await asking).status, await (await asking).json()]).toEqual([404, { error }]);
    expect((await ask(invented)).status).toBe(404);
  });

  it("that can't be loaded now is a 503 that says when to come back, on a new connection", async () => {
    const asking = ask(invented);
    await wanting(invented);
    await admin.answer(invented, { message: "all slots are in use", retrySeconds: 7 });
    const { status, headers } = await asking;
    expect([status, headers.get("retry-after"), headers.get("connection")]).toEqual([503, "7", "close"]);
  });

  it("and is refused when it comes is a 404 with the reason", async () => {
    const artifact = adapterArtifact({ weights: Buffer.from("truncated") });
    const asking = ask(artifact.name);
    await wanting(artifact.name);
    await load(artifact);
    expect([(await asking).status, await (await asking).text()]).toEqual([404, expect.stringContaining("NotAnAdapter")]);
  });

  it("isn't wanted any more when its clients have gone", async () => {
    const client = new AbortController();
    const body = JSON.stringify({ model: invented, prompt: "p" });
    const url = `http://127.0.0.1:${sidecar.ports.inference}/v1/completions`;
    const asking = fetch(url, { method: "POST", body, signal: client.signal }).catch(() => undefined);
    await wanting(invented);
    client.abort();
    await asking;
    await wanting();
  });

  it("keeps nobody waiting when the pod ends", async () => {
    const asking = ask(invented);
    await wanting(invented);
    const stopping = sidecar.stop();
    expect((await asking).status).toBe(503);
    await stopping;
  });

  it("is told with its use once it is here, so that the operator knows who may leave", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    await (await ask(artifact.name)).text();
    const [held] = (await admin.state()).adapters;
    expect(held).toMatchObject({ open: 0, lastUsed: expect.stringMatching(/^20/) });
  });
});

describe("the admin port", () => {
  const state = (token: string) =>
    fetch(`http://127.0.0.1:${sidecar.ports.admin}/state`, { headers: token ? { authorization: `Bearer ${token}` } : {} }).then(
      (answer) => answer.status,
    );

  it("lets only the operator in, with a fresh token for this pod", async () => {
    expect(await state(await loaderToken(key, "pod", Date.now()))).toBe(200);
    expect(await state(await loaderToken(key, "another pod", Date.now()))).toBe(401);
    expect(await state(await loaderToken(key, "pod", Date.now() - 10 * 60_000))).toBe(401);
    expect(await state(await loaderToken(await generateSigningKey(), "pod", Date.now()))).toBe(401);
    expect(await state("")).toBe(401);
    expect(await state("nonsense")).toBe(401);
  });

  it("tells the engine's state", async () => {
    expect((await admin.state()).engine).toMatchObject({
      ready: true,
      baseDigest,
      slots,
      maxRank: 8,
      bootID: expect.stringMatching(/^1\d+/),
    });
  });
});

it("drains before it ends: open requests are answered, new ones refused", async () => {
  let release = () => undefined as undefined;
  engine.gate = new Promise((resolve) => {
    release = () => resolve() as undefined;
  });
  const open = ask("tiny");
  const inFlight = async () =>
    /rune_loader_in_flight (\d+)/.exec(await (await fetch(`http://127.0.0.1:${sidecar.ports.metrics}/metrics`)).text())?.[1];
  await expect.poll(inFlight).toBe("1");
  const stopping = sidecar.stop();
  expect((await ask("tiny")).status).toBe(503);
  release();
  expect((await open).status).toBe(200);
  await stopping;
});

it("lets the engine's preStop hook wait for open requests, and opens again for the next engine", async () => {
  let release = () => undefined as undefined;
  engine.gate = new Promise((resolve) => {
    release = () => resolve() as undefined;
  });
  const open = ask("tiny");
  await expect.poll(inFlight).toBe("1");
  const draining = fetch(`http://127.0.0.1:${sidecar.ports.metrics}/drain`);
  await expect.poll(async () => (await ask("tiny")).status).toBe(503);
  release();
  expect((await open).status).toBe(200);
  expect(await (await draining).text()).toBe("0 requests are left\n");
  await engine.restart();
  await expect.poll(async () => (await ask("tiny")).status).toBe(200);
});
