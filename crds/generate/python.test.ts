import { expect, test } from "vitest";
import { z } from "zod";
import { decimal, text, whole } from "../fields/field.ts";
import { choice, constant, constants, type Document, dataclasses, snakeCase, typedDict } from "./python.ts";

const classesOf = (schema: z.ZodType, names: Document["names"] = {}) =>
  dataclasses([{ name: "Job", schema, names }], (pattern) => pattern.startsWith("^[0-9]+")).join("\n");

test("a field has its type with the schema's bounds, its default and its description", () => {
  const made = classesOf(
    z.object({
      maxLength: whole(64, 100).default(80).describe("Longest example."),
      learningRate: decimal().default("2"),
      path: text(500),
      modules: z
        .array(z.string().regex(/^a\/b$/))
        .min(1)
        .max(3)
        .default(["a/b"]),
      force: z.boolean().default(false),
      kind: z.enum(["A", "B"]).optional(),
    }),
  );
  expect(made.split("\n").slice(2)).toEqual([
    "    max_length: Annotated[int, Whole(least=64, most=100)] = 80",
    '    """Longest example."""',
    '    learning_rate: Annotated[float, Text(most=20, matching=r"^[0-9]+(\\.[0-9]+)?(e-?[0-9]+)?$")] = 2.0',
    "    path: Annotated[str, Text(most=500)]",
    '    modules: Annotated[tuple[Annotated[str, Text(matching=r"^a/b$")], ...], Items(least=1, most=3)] = ("a/b",)',
    "    force: bool = False",
    '    kind: Literal["A", "B"] | None = None',
    "",
  ]);
});

test("an object's class is before those that need it, and its default is made of it", () => {
  const stop = z.object({ afterPercent: whole(0, 100).default(30) }).default({ afterPercent: 30 });
  const made = classesOf(z.object({ stop, all: z.array(z.object({ afterPercent: whole(0, 100).default(30) })) }), {
    stop: "Stop",
    "all[]": "Stop",
  });
  expect(made.match(/class \w+/g)).toEqual(["class Stop", "class Job"]);
  expect(made).toContain("stop: Stop = Stop(after_percent=30)");
  expect(made).toContain("all: tuple[Stop, ...]");
});

test.each([
  ["an object without a name", z.object({ base: z.object({ a: z.boolean() }) }), {}, /^base: this object has no class/],
  ["a name for two things", z.object({ a: z.object({ x: z.boolean() }), b: z.object({}) }), { a: "X", b: "X" }, /^b: there is another X/],
  ["anything at all", z.object({ a: z.unknown() }), {}, /^a: a document that Python reads can't hold/],
  ["a number that isn't whole", z.object({ a: z.number() }), {}, /^a: a document that Python reads can't hold/],
  ["a map", z.object({ a: z.record(z.string(), z.string()) }), { a: "A" }, /^a: no object with fields of known names/],
])("%s is refused with its path", (_, schema, names, said) => {
  expect(() => classesOf(schema, names)).toThrow(said);
});

test("a name that a reader couldn't turn back is refused", () => {
  expect(snakeCase("deltaWNorm")).toBe("delta_w_norm");
  expect(() => snakeCase("snake_case")).toThrow("snake_case is no camelCase");
});

test("words become constants, with their values as they are", () => {
  expect(constant("FENCE", "```python\n", "Opens it.")).toBe('FENCE: Final = "```python\\n"\n"""Opens it."""\n');
  expect(constant("STATUS", { Busy: 429 })).toBe('STATUS: Final = {"Busy": 429}\n');
  expect(constants("Exit", "How it ends.", { dataError: 64 })).toBe('class Exit:\n    """How it ends."""\n\n    DATA_ERROR: Final = 64\n');
  expect(choice("Check", "Of a node.", ["GPU", "Torch"])).toBe('Check = Literal["GPU", "Torch"]\n"""Of a node."""\n');
});

test("a document that Python writes keeps the names of its fields", () => {
  const made = typedDict(
    "Result",
    "Last words.",
    z.object({ sizeBytes: whole(0, 9), rank: whole(1, 9).optional(), weights: z.array(z.number()) }),
  );
  expect(made.split("\n").slice(3)).toEqual(["    sizeBytes: int", "    rank: NotRequired[int]", "    weights: list[float]", ""]);
});

test("words that would end a docstring are refused", () => {
  expect(() => constant("A", 1, 'It is "this"')).toThrow("no docstring");
});
