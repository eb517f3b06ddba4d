import type { Descriptor } from "@rune/clients/registry/registry";
import { mediaType, titleAnnotation, trainingFile } from "@rune/crds/contracts/artifact";
import { describe, expect, test, vi } from "vitest";
import type { ZodType } from "zod";
import { type Curve, type Facts, pullFacts } from "./adapter-facts.ts";
import { adapterArm } from "./fake-results.ts";
import { jobOf } from "./fake-world.ts";
import { curvesOf, mostCurves } from "./training-curves.ts";

const digestOf = (name: string) => `sha256:${name.repeat(64)}`;
const refer = (name: string) => ({ name: `${name}-adapter`, repository: "rune/n/adapters", digest: digestOf(name), generation: 0 });
const content = {
  schema: "rune.dev/training/v1" as const,
  trained: "Hypernetwork" as const,
  loss: [{ step: 1, loss: 2 }],
  checkpoints: [{ step: 1, measured: { cosineDiversity: 0.4 } }],
};
const armsOf = (adapters: Record<string, string>) =>
  Object.entries(adapters).map(([name, all]) => adapterArm(name, { adapters: [...all].map(refer) }));

describe("the trainings of adapters", () => {
  /** Adapters by name, each with the digest and the content of its `training.json`, or without one. */
  function registryOf(adapters: Record<string, { file: string; content: unknown } | undefined>) {
    const pulled: string[] = [];
    const layerOf = (file: string): Descriptor => ({
      mediaType: mediaType.adapterFile,
      digest: digestOf(file),
      size: 1,
      annotations: { [titleAnnotation]: trainingFile },
    });
    return {
      pulled,
      manifest: async (_: string, digest: string) => {
        const found = adapters[digest.slice(-1)];
        const layers = found ? [layerOf(found.file)] : [];
        const manifest = { schemaVersion: 2 as const, artifactType: mediaType.adapter, config: layerOf("0"), layers };
        return { manifest, digest, sizeBytes: 1 };
      },
      blob: async () => Buffer.alloc(0),
      json: async <T>(_: string, layer: Descriptor, schema: ZodType<T>) => {
        pulled.push(layer.digest);
        return schema.parse(Object.values(adapters).find((each) => each && digestOf(each.file) === layer.digest)?.content);
      },
    };
  }
  const jobWith = (adapters: Record<string, string>) => jobOf({ gate: undefined, active: Object.keys(adapters), arms: armsOf(adapters) });

  test("are pulled once, however many adapters a hypernetwork made, and older adapters have none", async () => {
    const registry = registryOf({ a: { file: "1", content }, b: { file: "1", content }, c: undefined });
    const facts = await pullFacts(registry, jobWith({ right: "ab", other: "c" }), []);
    expect(registry.pulled).toEqual([digestOf("1")]);
    expect([..."abc"].map((name) => facts.get(digestOf(name))?.curve)).toEqual([
      { digest: digestOf("1"), ...content },
      { digest: digestOf("1"), ...content },
      undefined,
    ]);
  });

  test("that can't be read are told of and left out, and the evaluation goes on", async () => {
    const quiet = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const facts = await pullFacts(registryOf({ a: { file: "1", content: { ...content, loss: "none" } } }), jobWith({ right: "a" }), []);
    expect(facts.get(digestOf("a"))).toEqual({ known: false, seen: [], training: {} });
    expect(quiet.mock.calls[0]?.[0]).toContain("training.json of adapter a-adapter can't be read");
    quiet.mockRestore();
  });

  test("end the pod where the registry is unavailable, so that equal evaluations have equal reports", async () => {
    const registry = { ...registryOf({ a: { file: "1", content } }), json: () => Promise.reject(new Error("away")) };
    await expect(pullFacts(registry, jobWith({ right: "a" }), [])).rejects.toThrow("away");
  });
});

describe("a report's curves", () => {
  const curve = (file: string): Curve => ({ ...content, digest: digestOf(file) });
  const factsOf = (files: Record<string, string>): Facts =>
    new Map(Object.entries(files).map(([name, file]) => [digestOf(name), { known: true, seen: [], training: {}, curve: curve(file) }]));

  test("are one for each training, with its arms and the number of its adapters", () => {
    const { schema: _, ...plain } = content;
    expect(curvesOf(armsOf({ right: "ab", wrong: "ba", tuned: "c" }), factsOf({ a: "1", b: "1", c: "2" }))).toEqual({
      shown: [
        { ...plain, digest: digestOf("1"), arms: ["right", "wrong"], adapters: 2, first: "a-adapter" },
        { ...plain, digest: digestOf("2"), arms: ["tuned"], adapters: 1, first: "c-adapter" },
      ],
      more: 0,
    });
  });

  test("are bounded, and say how many are left out", () => {
    const names = [..."0123456789"];
    const curves = curvesOf(armsOf({ tuned: names.join("") }), factsOf(Object.fromEntries(names.map((name) => [name, name]))));
    expect([curves?.shown.length, curves?.more]).toEqual([mostCurves, names.length - mostCurves]);
  });

  test("aren't there where no artifact shows its training", () => {
    expect(curvesOf(armsOf({ right: "a" }), new Map([[digestOf("a"), { known: true, seen: [], training: {} }]]))).toBeUndefined();
  });
});
