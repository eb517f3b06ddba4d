import { expect, test } from "vitest";
import { z } from "zod";
import { structural, walk } from "./structural.ts";

const of = (schema: z.ZodType) => structural(z.object({ field: schema })).properties?.field;

test("whole numbers get the smallest integer format that holds their bounds", () => {
  const whole = (min: number, max: number) => z.number().int().min(min).max(max);
  expect(of(whole(0, 2 ** 31 - 1))).toMatchObject({ type: "integer", format: "int32" });
  expect(of(whole(0, 2 ** 31))).toMatchObject({ type: "integer", format: "int64" });
  expect(of(z.literal([8, 16]))).toEqual({ type: "integer", format: "int32", enum: [8, 16] });
  expect(of(z.number().gt(0).max(1))).toEqual({ type: "number", minimum: 0, exclusiveMinimum: true, maximum: 1 });
});

test("formats that an API server knows say what zod's patterns say, and others leave their pattern", () => {
  expect(of(z.iso.datetime())).toEqual({ type: "string", format: "date-time" });
  expect(of(z.ipv4())).toMatchObject({ format: "ipv4" });
  expect(of(z.string().startsWith("a"))).toEqual({ type: "string", pattern: "^a.*" });
  expect(of(z.string().regex(/^a/).regex(/b$/))).toEqual({ type: "string", allOf: [{ pattern: "^a" }, { pattern: "b$" }] });
});

test("a pattern that Go cannot read is refused here, not by the API server", () => {
  expect(() => of(z.string().regex(/^(?!x)/))).toThrow(
    "field: a CustomResourceDefinition can't hold the pattern ^(?!x), which looks around",
  );
  expect(() => of(z.string().regex(/(a)\1/))).toThrow("refers back");
  expect(of(z.string().regex(/^\\1(?:a|b)$/))).toMatchObject({ pattern: "^\\\\1(?:a|b)$" });
});

test("what may be anything is kept as it is", () => {
  const open = { "x-kubernetes-preserve-unknown-fields": true };
  expect(of(z.unknown())).toEqual(open);
  expect(of(z.unknown().describe("Whatever."))).toEqual({ description: "Whatever.", ...open });
  expect(of(z.looseObject({ a: z.boolean() }))).toEqual({
    type: "object",
    required: ["a"],
    properties: { a: { type: "boolean" } },
    ...open,
  });
  expect(of(z.record(z.string(), z.unknown()))).toEqual({ type: "object", ...open });
  expect(of(z.record(z.string(), z.string()))).toEqual({ type: "object", additionalProperties: { type: "string" } });
});

test("null, numbers or text, and what is carried in meta have Kubernetes' own words", () => {
  expect(of(z.string().nullable())).toEqual({ type: "string", nullable: true });
  expect(of(z.union([z.string().max(9), z.int().min(0)]))).toEqual({
    maxLength: 9,
    minimum: 0,
    maximum: Number.MAX_SAFE_INTEGER,
    "x-kubernetes-int-or-string": true,
  });
  const rule = { rule: "self.min <= self.max", message: "min must not be above max" };
  const range = z.object({ min: z.int(), max: z.int() }).meta({ "x-kubernetes-validations": [rule] });
  expect(of(range)).toMatchObject({ "x-kubernetes-validations": [rule], required: ["min", "max"] });
});

test("a list is atomic unless it says otherwise, and a default makes a field optional", () => {
  const schema = structural(
    z.object({ names: z.array(z.string()), set: z.array(z.string()).meta({ "x-kubernetes-list-type": "set" }), size: z.int().default(4) }),
  );
  expect(schema.properties?.names).toMatchObject({ "x-kubernetes-list-type": "atomic", items: { type: "string" } });
  expect(schema.properties?.set).toMatchObject({ "x-kubernetes-list-type": "set" });
  expect(schema.properties?.size?.default).toBe(4);
  expect(schema.required).toEqual(["names", "set"]);
});

test("it speaks of what is taken in: a transformation is no part of it", () => {
  expect(of(z.string().transform(Number).pipe(z.number()))).toEqual({ type: "string" });
});

test.each([
  ["a union of objects", z.discriminatedUnion("k", [z.object({ k: z.literal("a") }), z.object({ k: z.literal("b") })])],
  ["a strict object", z.strictObject({ a: z.boolean() })],
  ["a tuple", z.tuple([z.string()])],
  ["a shared definition", z.object({ a: z.boolean() }).meta({ id: "shared" })],
  ["two types but the known pair", z.union([z.string(), z.boolean()])],
])("%s is refused with the path of the field", (_, schema) => {
  expect(() => of(schema)).toThrow(/^(field|the root)/);
});

test("every part is visited with its path", () => {
  const seen: string[] = [];
  walk(structural(z.object({ a: z.array(z.object({ b: z.string() })), c: z.record(z.string(), z.string()) })), (path) => seen.push(path));
  expect(seen).toEqual(["", "a", "a[]", "a[].b", "c", "c{}"]);
});
