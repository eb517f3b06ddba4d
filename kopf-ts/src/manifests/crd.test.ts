import { configMaps, resource } from "kopf-ts";
import { describe, expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { z } from "zod";
import { crdOf } from "./crd.ts";
import { yamlOf } from "./print.ts";
import { type Structural, walk } from "./structural.ts";

const rule = { rule: "self.min <= self.max", message: "min must not be above max" };
const schema = z
  .object({
    metadata: z.object({ name: z.string().max(40), labels: z.record(z.string(), z.string()).optional() }),
    spec: z
      .object({ min: z.int().default(1), max: z.int(), mode: z.enum(["fast", "safe"]).optional() })
      .meta({ "x-kubernetes-validations": [rule] }),
    status: z.object({ replicas: z.int() }).optional(),
  })
  .describe("A fleet of ships.");
const columns = [{ name: "Replicas", type: "integer", jsonPath: ".status.replicas" }] as const;
const fleets = resource({
  group: "example.dev",
  version: "v1beta1",
  kind: "Fleet",
  plural: "fleets",
  namespaced: false,
  shortNames: ["fl"],
  categories: ["all"],
  scale: { specReplicasPath: ".spec.max", statusReplicasPath: ".status.replicas" },
  columns,
  schema,
});

describe("the definition of a kind", () => {
  const { metadata, spec } = crdOf(fleets);
  const [version] = spec.versions;
  const root = version?.schema.openAPIV3Schema as Structural;

  test("has its names, its scope, its columns, and a status of its own", () => {
    expect(metadata).toEqual({ name: "fleets.example.dev" });
    expect(spec).toMatchObject({
      group: "example.dev",
      scope: "Cluster",
      names: { kind: "Fleet", listKind: "FleetList", plural: "fleets", singular: "fleet", shortNames: ["fl"], categories: ["all"] },
    });
    expect(version).toMatchObject({
      name: "v1beta1",
      served: true,
      storage: true,
      additionalPrinterColumns: columns,
      subresources: { status: {}, scale: { specReplicasPath: ".spec.max", statusReplicasPath: ".status.replicas" } },
    });
  });

  test("says what the schema says, its rules and its defaults included", () => {
    expect(root.description).toBe("A fleet of ships.");
    expect(root.required).toEqual(["spec"]);
    expect(root.properties?.spec).toMatchObject({
      required: ["max"],
      "x-kubernetes-validations": [rule],
      properties: { min: { default: 1 } },
    });
  });

  test("restricts of metadata the names alone, as API servers demand", () => {
    expect(root.properties?.metadata).toEqual({ type: "object", properties: { name: { type: "string", maxLength: 40 } } });
  });

  test("keeps what the framework writes into status", () => {
    const { properties = {} } = root.properties?.status ?? {};
    expect(Object.keys(properties).sort()).toEqual(["conditions", "observedGeneration", "replicas"]);
    expect(properties.conditions).toMatchObject({ "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"] });
  });

  test("is structural: every part has a type, or says that it takes anything", () => {
    const untyped: string[] = [];
    walk(root, (path, part) => {
      if (!part.type && !part["x-kubernetes-preserve-unknown-fields"] && !part["x-kubernetes-int-or-string"]) untyped.push(path);
    });
    expect(untyped).toEqual([]);
  });

  test("survives YAML", () => {
    const [document] = parseAllDocuments(yamlOf([crdOf(fleets), crdOf(fleets)])).map((one) => one.toJS());
    expect(document).toEqual(JSON.parse(JSON.stringify(crdOf(fleets))));
  });
});

test("a kind without a schema takes anything in spec and status", () => {
  const widgets = resource({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });
  const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  expect(crdOf(widgets).spec.versions[0]?.schema.openAPIV3Schema.properties).toMatchObject({ spec: open, status: open });
});

test("what can't be defined is refused, with the kind and the field", () => {
  const wrong = (part: z.ZodType) =>
    resource({ group: "example.dev", version: "v1", kind: "Wrong", plural: "wrongs", schema: z.object({ spec: z.object({ part }) }) });
  expect(() => crdOf(wrong(z.tuple([z.string()])))).toThrow("wrongs.example.dev, spec.part[]: a CustomResourceDefinition can't hold anyOf");
  expect(() => crdOf(configMaps)).toThrow("Kubernetes brings configmaps itself");
  const own = resource({ group: "example.dev", version: "v1", kind: "Own", plural: "owns", schema: { parse: () => ({}) } });
  expect(() => crdOf(own)).toThrow("the schema of owns.example.dev is none of zod's");
});
