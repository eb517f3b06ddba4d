import { Ajv } from "ajv";
import addFormats from "ajv-formats";
import type { Structural } from "kopf-ts/manifests";
import { describe, expect, test } from "vitest";
import { rootSchema } from "./generate/definition.ts";
import { kinds } from "./kinds/kinds.ts";
import { fieldPaths, mutationsOf } from "./testing/mutations.ts";
import { fullSamplesOf, refusedSamples, sampleOf, validSamples } from "./testing/samples.ts";
import { apiVersion } from "./words/group.ts";

const ajv = new Ajv({ strict: false });
addFormats.default(ajv);
const validators = new Map(kinds.map((kind) => [kind.kind, ajv.compile(rootSchema(kind))]));
const kindNamed = new Map(kinds.map((kind) => [kind.kind, kind]));

test.each(validSamples().map(({ file, manifest }) => [file, manifest] as const))("%s agrees with its schema", (_, manifest) => {
  const validate = validators.get(manifest.kind);
  expect(manifest.apiVersion).toBe(apiVersion);
  expect(validate?.(manifest), JSON.stringify(validate?.errors)).toBe(true);
  expect(() => kindNamed.get(manifest.kind)?.spec.parse(manifest.spec)).not.toThrow();
});

describe.each(kinds.map((kind) => [kind.kind, kind] as const))("%s", (name, kind) => {
  test("has a minimal and a full sample", () => {
    expect(sampleOf(name, "minimal").kind).toBe(name);
    expect(sampleOf(name, "full").kind).toBe(name);
  });

  test("defaults are legal", () => {
    const filled = kind.spec.parse(sampleOf(name, "minimal").spec);
    const validate = validators.get(name);
    expect(validate?.({ ...sampleOf(name, "minimal"), spec: filled }), JSON.stringify(validate?.errors)).toBe(true);
  });

  test("every top-level field is in the full sample, so that tests of frozen fields meet it", () => {
    const fields = new Set(fullSamplesOf(name).flatMap(({ spec }) => Object.keys(spec ?? {})));
    expect([...fields].sort()).toEqual(Object.keys(kind.spec.shape).sort());
  });

  test.each(fullSamplesOf(name).map((sample) => [sample.metadata.name, sample] as const))(
    "%s, a full sample, differs from every default, so that removing a field is a change",
    (_, sample) => {
      const spec = sample.spec as Record<string, unknown>;
      const schema = rootSchema(kind).properties?.spec as Structural;
      const same = fieldPaths(schema).filter((path) => {
        const value = path.split(".").reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], spec);
        const field = path.split(".").reduce<Structural | undefined>((at, key) => at?.properties?.[key], schema);
        return field?.default !== undefined && JSON.stringify(value) === JSON.stringify(field.default);
      });
      expect(same).toEqual([]);
    },
  );

  test.each([sampleOf(name, "minimal"), ...fullSamplesOf(name)].map((sample) => [sample.metadata.name, sample] as const))(
    "every change that a test makes of %s is one that the schema allows",
    (_, sample) => {
      const schema = rootSchema(kind).properties?.spec as Structural;
      const mutations = mutationsOf(schema, kind.spec.parse(sample.spec));
      expect(mutations.length).toBeGreaterThan(10);
      const refused = mutations.filter(({ spec }) => !validators.get(name)?.({ ...sample, spec }));
      expect(refused.map((mutation) => mutation.name)).toEqual([]);
    },
  );
});

test.each(
  refusedSamples()
    .filter(({ message }) => message.includes("in body should match"))
    .map(({ file, manifest, message }) => [file, manifest, message] as const),
)("%s is refused by a pattern", (_, manifest, message) => {
  const validate = validators.get(manifest.kind);
  expect(validate?.(manifest)).toBe(false);
  const fields = validate?.errors
    ?.filter(({ keyword }) => keyword === "pattern")
    .map(({ instancePath }) => instancePath.slice(1).replaceAll("/", "."));
  expect(fields).toContain(message.split(" ")[0]);
});

test("every rule has a sample that it refuses", () => {
  const messages = new Set(refusedSamples().map(({ message }) => message));
  expect(kinds.flatMap(({ rules }) => rules.map(({ message }) => message)).filter((message) => !messages.has(message))).toEqual([]);
});
