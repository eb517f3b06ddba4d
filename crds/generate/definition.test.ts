import { type Structural, walk } from "kopf-ts/manifests";
import { describe, expect, test } from "vitest";
import type { KindDefinition } from "../kinds/kind.ts";
import { kinds } from "../kinds/kinds.ts";
import { customResourceDefinition, frozenFields, frozenMessage, rootSchema } from "./definition.ts";

/** Paths below spec and status for which `wrong` is true. */
function offenders(kind: KindDefinition, wrong: (path: string, schema: Structural) => boolean): string[] {
  const found: string[] = [];
  for (const part of ["spec", "status"] as const) {
    walk(rootSchema(kind).properties?.[part] as Structural, (path, schema) => wrong(path, schema) && found.push(path), part);
  }
  return found;
}

const isField = (path: string) => !path.endsWith("[]") && !path.endsWith("{}");

describe.each(kinds.map((kind) => [kind.kind, kind] as const))("%s", (_, kind) => {
  const spec = rootSchema(kind).properties?.spec as Structural;

  test("every field is described in a sentence", () => {
    expect(offenders(kind, (path, { description }) => isField(path) && !description?.endsWith("."))).toEqual([]);
  });

  test("every string, list, map and number has a maximum", () => {
    const unbounded = (schema: Structural) =>
      (schema.type === "string" && !schema.enum && schema.format !== "date-time" && schema.maxLength === undefined) ||
      (schema.type === "array" && schema.maxItems === undefined) ||
      (schema.type === "integer" && !schema.enum && schema.maximum === undefined) ||
      (schema.additionalProperties !== undefined && schema.maxProperties === undefined);
    expect(offenders(kind, (_path, schema) => unbounded(schema))).toEqual([]);
  });

  test("no object has both named and free properties", () => {
    expect(
      offenders(kind, (_path, { properties, additionalProperties }) => properties !== undefined && additionalProperties !== undefined),
    ).toEqual([]);
  });

  test("lists that merge by key have keys that are always there", () => {
    const lacking = ({ items, ...list }: Structural) =>
      list["x-kubernetes-list-map-keys"]?.some((key) => !items?.required?.includes(key)) ?? false;
    expect(offenders(kind, (_path, schema) => lacking(schema))).toEqual([]);
  });

  test("exactly the fields that aren't mutable have a rule that names them", () => {
    const rules = spec["x-kubernetes-validations"] ?? [];
    expect(rules.map(({ fieldPath, message }) => [fieldPath, message])).toEqual(
      frozenFields(kind).map((name) => [`.${name}`, frozenMessage(kind, name)]),
    );
    expect(Object.keys(kind.spec.shape)).toEqual(expect.arrayContaining([...kind.mutable]));
  });

  test("a frozen field that may be absent is guarded against adding and removing", () => {
    for (const { rule, fieldPath } of spec["x-kubernetes-validations"] ?? []) {
      const required = spec.required?.includes(fieldPath?.slice(1) ?? "");
      expect(rule.includes("has(oldSelf.")).toBe(!required);
    }
  });

  test("spec is required, so that frozen fields always have an old value", () => {
    expect(rootSchema(kind).required).toContain("spec");
  });

  test("status starts with an observed generation that no object has", () => {
    expect(rootSchema(kind).properties?.status?.default).toEqual({ observedGeneration: -1 });
  });

  test("the name is bounded, and a generated one leaves room for its suffix", () => {
    expect(rootSchema(kind).properties?.metadata?.properties).toMatchObject({
      name: { maxLength: kind.nameMaxLength },
      generateName: { maxLength: kind.nameMaxLength - 5 },
    });
    expect(kind.nameMaxLength).toBeLessThanOrEqual(52);
  });

  test("every rule says which field it is about, and that field exists", () => {
    for (const { field } of kind.rules) {
      const found = field
        .slice(1)
        .split(".")
        .reduce<Structural | undefined>((schema, name) => schema?.properties?.[name], rootSchema(kind));
      expect(found, field).toBeDefined();
    }
  });
});

/** As kubectl prints their heads: without and with `-o wide`. */
const heads: Record<string, { narrow: string; wide: string }> = {
  EnvironmentCheck: {
    narrow: "READY REASON PASSED GPU TORCH QLORA SERVING ADAPTER AGE",
    wide: "READY REASON PASSED GPU TORCH QLORA SERVING ADAPTER STATUS AGE",
  },
  ModelServer: {
    narrow: "READY REASON STAGES REPLICAS ADAPTERS AGE",
    wide: "READY REASON STAGES REPLICAS ADAPTERS URL STATUS AGE",
  },
  Adapter: {
    narrow: "READY REASON RANK TIER PASS@1 ENGINES AGE",
    wide: "READY REASON RANK TIER PASS@1 TASKS ENGINES SOURCE CONTROL STATUS AGE",
  },
  TrainingRun: {
    narrow: "READY REASON METHOD PROGRESS LOSS SESSIONS ADAPTER AGE",
    wide: "READY REASON METHOD PROGRESS LOSS SESSIONS ADAPTER ADAPTERS STATUS AGE",
  },
  AgentSession: {
    narrow: "READY REASON TASK SOLVED ROUNDS ADAPTER AGE",
    wide: "READY REASON TASK SOLVED ROUNDS ADAPTER ERROR LEARNT STATUS AGE",
  },
  Evaluation: {
    narrow: "READY REASON GATE DELTA LOWER AGE",
    wide: "READY REASON GATE DELTA LOWER REPORT STATUS AGE",
  },
  EvolutionGeneration: {
    narrow: "READY REASON GENERATION MEMBERS BEST DELTA PROMOTED ARCHIVED AGE",
    wide: "READY REASON GENERATION MEMBERS BEST DELTA PROMOTED ARCHIVED NEXT STATUS AGE",
  },
};

test.each(kinds.map((kind) => [kind.kind, kind] as const))("kubectl get shows these columns of %s", (name, kind) => {
  const columns = customResourceDefinition(kind).spec.versions[0]?.additionalPrinterColumns ?? [];
  const printed = (some: typeof columns) => some.map((column) => column.name.toUpperCase()).join(" ");
  expect({ narrow: printed(columns.filter(({ priority = 0 }) => priority === 0)), wide: printed(columns) }).toEqual(heads[name]);
});

test("no two kinds share a name, a plural or a short name", () => {
  const names = kinds.flatMap(({ plural, singular, shortNames }) => [plural, singular, ...shortNames]);
  expect(new Set(names).size).toBe(names.length);
});
