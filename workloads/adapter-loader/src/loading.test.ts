import { readdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import { LoaderUnavailable } from "@rune/clients/loader/loader";
import { describe, expect, it } from "vitest";
import { adapterArtifact, hidden, loraTensors, peft, rank, type TestArtifact } from "./testing/fixtures.ts";
import { sidecarBed, textOf } from "./testing/sidecar-bed.ts";

const bed = sidecarBed();
const { ask, load, ready, wanting } = bed;
const lost = () => expect.poll(async () => (await bed.admin.state()).engine.bootID).toBe("");

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
    const place = join(bed.directory, "adapters", artifact.name);
    expect((await stat(place)).mode & 0o777).toBe(0o755);
    expect((await stat(join(place, "adapter_model.safetensors"))).mode & 0o777).toBe(0o644);
    expect(await readdir(join(bed.directory, "adapters"))).toEqual([artifact.name]);
  });

  it("leaves what an adapter learnt from, and how, where it is", async () => {
    const artifact = adapterArtifact({ extraFiles: ["corpus.json", "training.json"] });
    expect(await load(artifact)).toMatchObject({ state: "Loaded", canary: "Matched" });
    expect((await readdir(join(bed.directory, "adapters", artifact.name))).sort()).toEqual([
      ".rune-adapter.json",
      "adapter_config.json",
      "adapter_model.safetensors",
    ]);
  });

  it("loads a control, which has no effect and no canary", async () => {
    const artifact = adapterArtifact({ tensors: zero, config: { control: true, canary: undefined } });
    bed.engine.answers[artifact.name] = bed.engine.baseAnswer;
    expect(await load(artifact)).toMatchObject({ state: "Loaded", canary: "Unknown" });
  });

  it("does it once however often it is asked, at the same time or later", async () => {
    const artifact = adapterArtifact();
    bed.registry.add(artifact);
    const states = await Promise.all([1, 2, 3].map(() => load(artifact)));
    states.push(await load(artifact));
    expect(states.map((state) => state?.state)).toEqual(["Loaded", "Loaded", "Loaded", "Loaded"]);
    expect(bed.engine.loads).toEqual([artifact.name]);
    expect(bed.registry.pulls).toHaveLength(4);
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
    const pulls = bed.registry.pulls.length;
    expect(await load(artifact, asked)).toMatchObject({ state: "Refused", reason });
    expect(bed.registry.pulls).toHaveLength(pulls);
    expect(bed.engine.loads).toEqual([]);
    expect(await readdir(join(bed.directory, "adapters"))).toEqual([]);
    expect((await ask(artifact.name)).status).toBe(404);
  });

  it("refuses bytes that are not those of the digest", async () => {
    const artifact = adapterArtifact();
    bed.registry.add(artifact);
    const weights = `sha256:${artifact.config.files["adapter_model.safetensors"]?.sha256}`;
    bed.registry.blobs.set(weights, Buffer.alloc(artifact.files["adapter_model.safetensors"]?.length ?? 0));
    const state = await bed.admin.load(artifact.name, artifact.request);
    expect(state.adapters[0]).toMatchObject({ state: "Refused", reason: "DigestMismatch" });
  });

  it("refuses a name that doesn't end in its digest", async () => {
    const artifact = adapterArtifact();
    bed.registry.add(artifact);
    const state = await bed.admin.load("tessera-0000000000000000", artifact.request);
    expect(state.adapters).toMatchObject([{ name: "tessera-0000000000000000", state: "Refused", reason: "DigestMismatch" }]);
    expect((await bed.admin.state()).adapters).toEqual([]);
  });

  it("tries again what wasn't there yet", async () => {
    const artifact = adapterArtifact();
    const missing = await bed.admin.load(artifact.name, artifact.request);
    expect(missing.adapters[0]).toMatchObject({ state: "Refused", reason: "ArtifactMissing" });
    expect(await load(artifact)).toMatchObject({ state: "Loaded" });
  });

  it("has no slot for one more, anyone who is on the way, and says who has them", async () => {
    const [one, two, three] = ["one", "two", "three"].map((name) => adapterArtifact({ name, config: { generation: name.length } }));
    if (!one || !two || !three) throw new Error("three artifacts");
    await Promise.all([load(one), load({ ...two, name: two.name })]);
    const refused = await load(adapterArtifact({ name: "three", config: { generation: 99 } }));
    expect(refused).toMatchObject({ state: "Refused", reason: "NoAdapterSlot", message: expect.stringContaining(one.name) });
    await bed.admin.unload(one.name);
    expect(await load(adapterArtifact({ name: "three", config: { generation: 99 } }))).toMatchObject({ state: "Loaded" });
  });

  it("takes an adapter without effect off again", async () => {
    const artifact = adapterArtifact();
    bed.engine.answers[artifact.name] = bed.engine.baseAnswer;
    expect(await load(artifact)).toMatchObject({ state: "Refused", reason: "CanaryMismatch", canary: "Mismatched" });
    expect(bed.engine.held).toEqual([]);
    expect((await ask(artifact.name)).status).toBe(404);
  });

  it("doesn't offer an adapter again to an engine that refused it, because with two ranks that ends it; one new engine is asked, and no third", async () => {
    const artifact = adapterArtifact();
    bed.engine.ranks = 2;
    bed.engine.refusing = true;
    expect(await load(artifact)).toMatchObject({
      state: "Refused",
      reason: "EngineRefused",
      message: expect.stringContaining("out of luck"),
    });
    const before = (await bed.admin.state()).engine.bootID;
    await bed.engine.restart();
    await expect.poll(async () => (await bed.admin.state()).engine.bootID).not.toBe(before);
    await ready();
    await wait(100);
    expect(bed.engine.loads).toHaveLength(1);
    bed.engine.ranks = 1;
    expect(await load(artifact)).toMatchObject({ state: "Refused", reason: "RefusedByEngines" });
    const second = (await bed.admin.state()).engine.bootID;
    await bed.engine.restart();
    await expect.poll(async () => (await bed.admin.state()).engine.bootID).not.toBe(second);
    await ready();
    expect(await load(artifact)).toMatchObject({ state: "Refused", reason: "RefusedByEngines" });
    expect(bed.engine.loads).toHaveLength(2);
  });

  it("doesn't offer an adapter to a third start of the engine whose load ended two", async () => {
    const artifact = adapterArtifact();
    bed.engine.endingAtLoads = true;
    expect(await load(artifact).catch((error) => error)).toBeInstanceOf(LoaderUnavailable);
    await lost();
    await bed.engine.start();
    await expect.poll(() => bed.engine.loads).toHaveLength(2);
    await lost();
    await bed.engine.start();
    await expect
      .poll(async () => (await bed.admin.state()).adapters[0])
      .toMatchObject({ state: "Refused", reason: "RefusedByEngines", message: expect.stringContaining("ended while it was being loaded") });
    await ready();
    expect(bed.engine.loads).toHaveLength(2);
    expect(await readdir(join(bed.directory, "adapters"))).toEqual([]);
  });

  it("goes on offering an adapter that answered here to engines that end during its load: it isn't the reason", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    for (const loads of [2, 3, 4]) {
      bed.engine.endingAtLoads = true;
      await bed.engine.restart();
      await expect.poll(() => bed.engine.loads).toHaveLength(loads);
      await lost();
    }
    bed.engine.endingAtLoads = false;
    await bed.engine.start();
    await expect.poll(async () => (await ask(artifact.name)).status).toBe(200);
  });

  it("blames only the first that an engine refuses: the others may be refused because of that one", async () => {
    const [one, two] = [adapterArtifact({ name: "one" }), adapterArtifact({ name: "two" })];
    bed.engine.refusing = true;
    for (const artifact of [one, two]) expect(await load(artifact)).toMatchObject({ reason: "EngineRefused" });
    const before = (await bed.admin.state()).engine.bootID;
    await bed.engine.restart();
    await expect.poll(async () => (await bed.admin.state()).engine.bootID).not.toBe(before);
    await ready();
    expect(await load(two)).toMatchObject({ reason: "EngineRefused" });
    bed.engine.refusing = false;
    await bed.engine.restart();
    await expect.poll(async () => (await load(two))?.state).toBe("Loaded");
  });

  it("doesn't blame an adapter for an engine that was spoilt while another one answered too", async () => {
    const [one, two] = [adapterArtifact({ name: "one" }), adapterArtifact({ name: "two" })];
    await load(one);
    const open = bed.engine.hold();
    const asking = ask(one.name);
    const loading = load(two).catch((error) => error);
    await expect.poll(() => bed.engine.held).toContain(two.name);
    bed.engine.spoilAfter(two.name);
    open();
    await asking;
    expect(await loading).toBeInstanceOf(LoaderUnavailable);
    await bed.engine.restart();
    await expect.poll(async () => (await ask(two.name)).status).toBe(200);
  });

  it("pulls bytes again that weren't the digest's, some minutes later: the registry's copy may have been restored", async () => {
    const artifact = adapterArtifact();
    bed.registry.add(artifact);
    const weights = `sha256:${artifact.config.files["adapter_model.safetensors"]?.sha256}`;
    const right = bed.registry.blobs.get(weights) as Buffer;
    bed.registry.blobs.set(weights, Buffer.alloc(right.length));
    expect((await bed.admin.load(artifact.name, artifact.request)).adapters[0]).toMatchObject({ reason: "DigestMismatch" });
    bed.registry.blobs.set(weights, right);
    expect((await bed.admin.load(artifact.name, artifact.request)).adapters[0]).toMatchObject({ reason: "DigestMismatch" });
    bed.ahead = 5 * 60_000;
    await expect.poll(async () => (await bed.admin.state()).adapters).toEqual([]);
    expect((await bed.admin.load(artifact.name, artifact.request)).adapters[0]).toMatchObject({ state: "Loaded" });
  });
});

describe("the engine's comings and goings", () => {
  it("gives a restarted engine its adapters back within two seconds, under another boot id", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    const before = (await bed.admin.state()).engine.bootID;
    await bed.engine.restart();
    const healthy = Date.now();
    await expect.poll(async () => (await ask(artifact.name)).status).toBe(200);
    expect(Date.now() - healthy).toBeLessThan(2_000);
    await expect.poll(async () => (await bed.admin.state()).engine.bootID).not.toBe(before);
    expect(bed.engine.loads).toEqual([artifact.name, artifact.name]);
  });

  it("doesn't blame an adapter that answered before for an engine that ends while it is proven again", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    const open = bed.engine.hold();
    const asked = bed.engine.completions.length;
    await bed.engine.restart();
    await expect.poll(() => bed.engine.completions.length).toBeGreaterThan(asked);
    bed.engine.ending = true;
    open();
    await expect.poll(async () => (await bed.admin.state()).adapters[0]?.message).toContain("EngineCore encountered an issue");
    // Until the engine has exited, the adapter counts as loaded and fails its canary again at every tick.
    expect(["Staging", "Loaded"]).toContain((await bed.admin.state()).adapters[0]?.state);
    expect((await bed.admin.state()).adapters[0]?.canary).toBe("Matched");
    await bed.engine.restart();
    await expect.poll(async () => (await ask(artifact.name)).status).toBe(200);
  });

  it("loads an adapter again that the engine lost between load and canary, and doesn't blame it", async () => {
    const artifact = adapterArtifact();
    const open = bed.engine.hold();
    const loading = load(artifact).catch((error) => error);
    await expect.poll(() => bed.engine.completions).toContain("tiny");
    await expect.poll(() => bed.engine.held).toEqual([artifact.name]);
    bed.engine.forget(artifact.name);
    open();
    expect(await loading).toBeInstanceOf(LoaderUnavailable);
    await expect.poll(async () => (await bed.admin.state()).adapters[0]).toMatchObject({ state: "Loaded", canary: "Matched" });
    expect(bed.engine.loads).toEqual([artifact.name, artifact.name]);
    expect(bed.registry.pulls).toHaveLength(4);
  });

  it("notices a restart also where the engine doesn't say when it started", async () => {
    bed.engine.startTimeInMetrics = false;
    await bed.engine.restart();
    const artifact = adapterArtifact();
    await expect.poll(async () => (await load(artifact).catch(() => undefined))?.state).toBe("Loaded");
    const before = (await bed.admin.state()).engine.bootID;
    await bed.engine.restart();
    await expect.poll(() => bed.engine.held).toEqual([artifact.name]);
    await expect.poll(async () => (await bed.admin.state()).engine.bootID).not.toBe(before);
  });

  it("says 503 and when to come back while the engine is unavailable, and keeps the wish", async () => {
    const artifact = adapterArtifact();
    await bed.engine.stop();
    await expect.poll(() => bed.sidecar.health.ready).toBe(false);
    const refused = await load(artifact).catch((error) => error);
    expect(refused).toBeInstanceOf(LoaderUnavailable);
    expect(refused.retryAfterSeconds).toBe(2);
    const answer = await ask("tiny");
    expect(answer.status).toBe(503);
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    await bed.engine.start();
    await expect.poll(() => bed.engine.held).toEqual([artifact.name]);
    await expect.poll(async () => (await ask(artifact.name)).status).toBe(200);
  });

  it("asks for the registry's return, too", async () => {
    bed.registry.down = true;
    const artifact = adapterArtifact();
    const error = await load(artifact).catch((caught) => caught);
    expect(error).toBeInstanceOf(LoaderUnavailable);
    bed.registry.down = false;
    expect(await load(artifact)).toMatchObject({ state: "Loaded" });
  }, 30_000);

  it("doesn't load again what changed on the disk", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    await writeFile(join(bed.directory, "adapters", artifact.name, "adapter_model.safetensors"), "tampered");
    await bed.engine.restart();
    await expect.poll(async () => (await bed.admin.state()).adapters[0]).toMatchObject({ state: "Refused", reason: "DigestMismatch" });
    expect(bed.engine.held).toEqual([]);
  });

  it("unloads what nobody asked for", async () => {
    bed.engine.smuggle("stray", "/elsewhere");
    await expect.poll(() => bed.engine.held).toEqual([]);
    expect(bed.engine.unloads).toContain("stray");
  });

  it("holds after its own restart what it held before, without loading it twice", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    await bed.sidecar.stop();
    await bed.startLoader();
    await ready();
    await expect
      .poll(async () => (await bed.admin.state()).adapters[0])
      .toMatchObject({ name: artifact.name, state: "Loaded", canary: "Matched" });
    expect(bed.engine.loads).toEqual([artifact.name]);
  });
});

describe("unloading", () => {
  it("waits for open requests, takes no new ones, and deletes the files", async () => {
    const artifact = adapterArtifact();
    await load(artifact);
    const release = bed.engine.hold();
    const open = ask(artifact.name);
    await expect.poll(() => bed.engine.completions.filter((model) => model === artifact.name).length).toBe(2);
    const unloading = bed.admin.unload(artifact.name);
    await wait(50);
    const late = ask(artifact.name);
    await wanting(artifact.name);
    expect(bed.engine.held).toEqual([artifact.name]);
    release();
    expect((await open).status).toBe(200);
    expect((await unloading).adapters).toEqual([]);
    await bed.admin.answer(artifact.name, { message: "it is gone" });
    expect((await late).status).toBe(404);
    expect(bed.engine.held).toEqual([]);
    expect(await readdir(join(bed.directory, "adapters"))).toEqual([]);
  });

  it("is done also for what isn't there", async () => {
    expect((await bed.admin.unload("never-there")).adapters).toEqual([]);
  });
});
