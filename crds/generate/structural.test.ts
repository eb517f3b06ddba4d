import { expect, test } from "vitest";
import { z } from "zod";
import { byKey, labels, whole } from "../fields/field.ts";
import { structural } from "./structural.ts";

const of = (schema: z.ZodType) => structural(z.object({ field: schema })).properties?.field;

test("whole numbers get the smallest integer format that holds their bounds", () => {
  expect(of(whole(0, 2 ** 31 - 1))).toMatchObject({ type: "integer", format: "int32" });
  expect(of(whole(0, 2 ** 31))).toMatchObject({ type: "integer", format: "int64" });
  expect(of(whole(-1, Number.MAX_SAFE_INTEGER))).toMatchObject({ format: "int64", minimum: -1 });
});

test("a time is a format without zod's pattern", () => {
  expect(of(z.iso.datetime())).toEqual({ type: "string", format: "date-time" });
});

test("a set of numbers is an integer enum", () => {
  expect(of(z.literal([8, 16]))).toEqual({ type: "integer", format: "int32", enum: [8, 16] });
});

test("a map keeps its bounds and loses the names of its keys", () => {
  expect(of(labels())).toEqual({ type: "object", maxProperties: 64, additionalProperties: { type: "string", maxLength: 63 } });
});

test("a list is atomic unless it has a natural key", () => {
  const item = z.object({ name: z.string().max(3) });
  expect(of(z.array(item).max(2))).toMatchObject({ "x-kubernetes-list-type": "atomic" });
  expect(of(z.array(item).max(2).meta(byKey("name")).optional())).toMatchObject({
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
  });
});

test("a default is carried and makes a field optional", () => {
  const schema = structural(z.object({ attempts: whole(1, 9).default(4), name: z.string().max(9) }));
  expect(schema.properties?.attempts?.default).toBe(4);
  expect(schema.required).toEqual(["name"]);
});

test.each([
  ["a union", z.union([z.string(), z.boolean()])],
  ["a float", z.number().min(0).max(1)],
  ["anything at all", z.unknown()],
  ["a strict object", z.strictObject({ a: z.boolean() })],
  ["a nullable field", z.string().nullable()],
  ["a shared definition", z.object({ a: z.boolean() }).meta({ id: "shared" })],
])("%s is refused with the path of the field", (_, schema) => {
  expect(() => of(schema)).toThrow(/field: |the root: /);
});
