import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vectors } from "@rune/crds/testing/vectors";
import fc from "fast-check";
import { expect, it } from "vitest";
import { z } from "zod";
import { canonicalJSON, modelDigest, sha256, sha256File } from "./digest.ts";

it("hashes as sha256sum does", async () => {
  expect(sha256("")).toBe("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  const path = join(await mkdtemp(join(tmpdir(), "rune-digest-")), "file");
  await writeFile(path, "abc");
  expect(await sha256File(path)).toEqual({ digest: sha256("abc"), sizeBytes: 3 });
});

it("writes keys sorted at every level, without spaces and without undefined fields", () => {
  expect(canonicalJSON({ b: [{ z: 1, a: "é" }], a: undefined, A: null }).toString()).toBe('{"A":null,"b":[{"a":"é","z":1}]}');
});

it.each(vectors("canonical-json", z.array(z.object({ value: z.unknown(), text: z.string(), digest: z.string() }))))(
  "writes $text, as the trainer does",
  ({ value, text, digest }) => {
    expect(canonicalJSON(value).toString()).toBe(text);
    expect(sha256(canonicalJSON(value))).toBe(digest);
  },
);

it("writes the same bytes in whatever order keys were added, and loses nothing", () => {
  fc.assert(
    fc.property(
      fc.dictionary(
        fc.string().filter((key) => key !== "__proto__"),
        fc.jsonValue(),
      ),
      (value) => {
        const reversed = Object.fromEntries(Object.entries(value).reverse());
        expect(canonicalJSON(reversed)).toEqual(canonicalJSON(value));
        expect(JSON.parse(canonicalJSON(value).toString())).toEqual(JSON.parse(JSON.stringify(value)));
      },
    ),
  );
});

it("identifies a model as the trainer does", () => {
  const { files, digest } = vectors("model-identity", z.object({ files: z.record(z.string(), z.string()), digest: z.string() }));
  const hashes = Object.entries(files).map(([name, text]) => [name, { sha256: sha256(text).slice("sha256:".length) }]);
  expect(modelDigest(Object.fromEntries(hashes))).toBe(digest);
});

it("identifies a model by the sorted hashes and names of its files", () => {
  const files = { "model.safetensors": { sha256: "b".repeat(64) }, "config.json": { sha256: "a".repeat(64) } };
  expect(modelDigest(files)).toBe(sha256(`${"a".repeat(64)}  config.json\n${"b".repeat(64)}  model.safetensors\n`));
});
