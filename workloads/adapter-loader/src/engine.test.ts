import { mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Engine, EngineRefused, EngineUnavailable, parseVitals } from "./engine.ts";
import { FakeEngine } from "./testing/fake-engine.ts";
import { adapterArtifact, loraTensors, peft } from "./testing/fixtures.ts";

let fake: FakeEngine;
let engine: Engine;
let directory: string;
beforeEach(async () => {
  fake = new FakeEngine({ base: "tiny", maxRank: 8 });
  engine = new Engine({ url: await fake.start() });
  directory = await mkdtemp(join(tmpdir(), "rune-engine-"));
});
afterEach(() => fake.stop());

const place = async (wrong: Parameters<typeof adapterArtifact>[0] = {}) => {
  const path = await mkdtemp(join(directory, "adapter-"));
  await mkdir(path, { recursive: true });
  for (const [name, bytes] of Object.entries(adapterArtifact(wrong).files)) await writeFile(join(path, name), bytes);
  return path;
};

describe.each(["nested", "flat"] as const)("with errors in the %s form", (shape) => {
  beforeEach(() => {
    fake.errorShape = shape;
  });

  it("loads and unloads although the answers are plain text", async () => {
    const path = await place();
    await engine.load("a", path);
    expect(await engine.models()).toEqual([
      { id: "tiny", root: "/models/base", parent: undefined },
      { id: "a", root: path, parent: "tiny" },
    ]);
    await engine.unload("a");
    expect(fake.held).toEqual([]);
  });

  it("takes 'already loaded' as done only for the same directory", async () => {
    const path = await place();
    await engine.load("a", path);
    await engine.load("a", path);
    await expect(engine.load("a", await place())).rejects.toThrow(/already been loaded/);
  });

  it("takes an unknown name as unloaded", async () => {
    await engine.unload("never there");
  });

  it.each([
    ["a path that isn't there", async () => "/nowhere", 404, "No adapter found"],
    ["a rank that is too large", () => place({ peft: peft({ r: 64 }) }), 500, "LoRA rank 64 is greater"],
    ["a truncated file", () => place({ weights: Buffer.from("short") }), 500, "Error while deserializing"],
  ])("tells the refusal of %s with its reason", async (_, path, status, text) => {
    const error = await engine.load("a", await path()).catch((caught) => caught);
    expect(error).toBeInstanceOf(EngineRefused);
    expect(error.status).toBe(status);
    expect(error.message).toContain(text);
  });

  it("tells the refusals of the base's name and of an unknown model", async () => {
    await expect(engine.load("tiny", await place())).rejects.toMatchObject({ status: 400 });
    await expect(engine.complete("nobody", "x", 1, 1000)).rejects.toMatchObject({ status: 404 });
  });
});

it("shows why every adapter is checked first: the engine loads NaN, and one answer with it silences the base until a restart", async () => {
  const poison = await place({ tensors: { ...loraTensors(), x: { shape: [2], values: () => Number.NaN } } });
  await engine.load("poison", poison);
  expect((await engine.complete("tiny", "x", 4, 1000)).text).not.toBe("");
  await engine.complete("poison", "x", 4, 1000);
  await engine.unload("poison");
  expect((await engine.complete("tiny", "x", 4, 1000)).text).toBe("");
  await fake.restart();
  expect((await engine.complete("tiny", "x", 4, 1000)).text).not.toBe("");
});

it("gives another start time after a restart", async () => {
  const before = await engine.vitals();
  await fake.restart();
  expect((await engine.vitals()).startTime).not.toBe(before.startTime);
});

it("tells an engine that isn't there from one that is late or broken", async () => {
  await fake.stop();
  const error = await engine.models().catch((caught) => caught);
  expect(error).toBeInstanceOf(EngineUnavailable);
  expect(error.gone).toBe(true);
  await fake.start();
  fake.hold();
  const late = await engine.complete("tiny", "x", 1, 50).catch((caught) => caught);
  expect(late).toBeInstanceOf(EngineUnavailable);
  expect(late.gone).toBe(false);
});

it("sums the spoilt answers of all series and takes no similar name for the start time", () => {
  const text = [
    "# HELP process_start_time_seconds Start time",
    "process_start_time_seconds_total 5",
    "process_start_time_seconds 1.78e+09",
    'vllm:corrupted_requests_total{engine="0"} 2.0',
    'vllm:corrupted_requests_total{engine="1"} 1.0',
  ].join("\n");
  expect(parseVitals(text)).toEqual({ startTime: "1.78e+09", corruptedRequests: 3, generatedTokens: 0 });
  expect(parseVitals("")).toEqual({ startTime: undefined, corruptedRequests: 0, generatedTokens: 0 });
});
