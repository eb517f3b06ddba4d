import { z } from "zod";

/** Python source, without a formatter's line breaks. */

type Json = Readonly<Record<string, unknown>>;

/** A document that Python reads. `names` says the class of every object in it, by its path, such as `corpus.trajectories[]`. */
export interface Document {
  readonly name: string;
  readonly schema: z.ZodType;
  readonly names: Readonly<Record<string, string>>;
}

export type Value = string | number | boolean | readonly Value[] | { readonly [name: string]: Value };

/** A value of JSON as a literal; a list becomes a tuple, an object a dict. */
export function literal(value: Value): string {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `(${value.map(literal).join(", ")}${value.length === 1 ? "," : ""})`;
  const entries = Object.entries(value).map(([name, inner]) => `${literal(name)}: ${literal(inner)}`);
  return `{${entries.join(", ")}}`;
}

export function constant(name: string, value: Value, about?: string): string {
  return `${name}: Final = ${literal(value)}\n${about === undefined ? "" : `${docstring(about)}\n`}`;
}

/** Constants that belong together, as a class that nobody makes an object of; their names are those of the keys. */
export function constants(name: string, about: string, values: Readonly<Record<string, Value>>): string {
  const lines = Object.entries(values).map(([key, value]) => `${constantName(key)}: Final = ${literal(value)}`);
  return `class ${name}:\n${indented([docstring(about), "", ...lines].join("\n"))}\n`;
}

/** The type of a string that is one of these. */
export function choice(name: string, about: string, values: readonly string[]): string {
  return `${name} = Literal[${values.map(literal).join(", ")}]\n${docstring(about)}\n`;
}

/** A document that Python writes, or reads as it is: its keys are those of JSON. */
export function typedDict(name: string, about: string, schema: z.ZodObject): string {
  const { properties, required } = objectOf(z.toJSONSchema(schema, { io: "output" }) as Json, name);
  const fields = Object.entries(properties).map(([key, json]) => {
    const type = writtenType(json, `${name}.${key}`);
    return `${key}: ${required.includes(key) ? type : `NotRequired[${type}]`}`;
  });
  return `class ${name}(TypedDict):\n${indented([docstring(about), "", ...fields].join("\n"))}\n`;
}

function writtenType(json: Json, path: string): string {
  const values = choicesOf(json);
  if (values) return `Literal[${values.map(literal).join(", ")}]`;
  switch (json.type) {
    case "string":
      return "str";
    case "integer":
      return "int";
    case "number":
      return "float";
    case "boolean":
      return "bool";
    case "array":
      return `list[${writtenType(json.items as Json, `${path}[]`)}]`;
    case "object":
      return "dict[str, Any]";
    default:
      throw new Error(`${path}: Python's types have no word for ${JSON.stringify(json)}`);
  }
}

/**
 * Classes of documents and of all objects in them, each before those that need it. Their annotations carry the schema's bounds, which
 * the reader there heeds: what they don't express is refused here with its path.
 */
export function dataclasses(documents: readonly Document[], isDecimal: (pattern: string) => boolean): string[] {
  const made = new Map<string, string>();
  for (const { name, schema, names } of documents) {
    const json = z.toJSONSchema(schema, { io: "input" }) as Json;
    classOf(json, "", { isDecimal, made, name: (path) => (path === "" ? name : names[path]) });
  }
  return [...made.values()];
}

interface Making {
  readonly made: Map<string, string>;
  name(path: string): string | undefined;
  isDecimal(pattern: string): boolean;
}

/** The name of the class of an object at a path. Two of one name must be one; what each is for, the fields that hold it say. */
function classOf(json: Json, path: string, making: Making): string {
  const name = making.name(path);
  if (!name) throw new Error(`${path}: this object has no class; name it in crds/generate/python-contracts.ts`);
  const { properties, required } = objectOf(json, path);
  const fields = Object.entries(properties).map(([key, inner]) =>
    fieldOf(key, inner, path ? `${path}.${key}` : key, required.includes(key), making),
  );
  const code = `@dataclass(frozen=True, kw_only=True)\nclass ${name}:\n${indented(fields.join("\n"))}\n`;
  const other = making.made.get(name);
  if (other !== undefined && other !== code) throw new Error(`${path}: there is another ${name}, which isn't the same`);
  making.made.set(name, code);
  return name;
}

function fieldOf(key: string, json: Json, path: string, isRequired: boolean, making: Making): string {
  const type = readType(json, path, making);
  const declared = isRequired
    ? `${snakeCase(key)}: ${type}`
    : json.default === undefined
      ? `${snakeCase(key)}: ${type} | None = None`
      : `${snakeCase(key)}: ${type} = ${defaultOf(json, json.default, path, making)}`;
  return typeof json.description === "string" ? `${declared}\n${docstring(json.description)}` : declared;
}

function readType(json: Json, path: string, making: Making): string {
  const values = choicesOf(json);
  if (values) return `Literal[${values.map(literal).join(", ")}]`;
  switch (json.type) {
    case "string":
      return marked(isDecimal(json, making) ? "float" : "str", "Text", { most: json.maxLength, matching: json.pattern });
    case "integer":
      return marked("int", "Whole", { least: json.minimum, most: json.maximum });
    case "boolean":
      return "bool";
    case "array":
      return marked(`tuple[${readType(json.items as Json, `${path}[]`, making)}, ...]`, "Items", {
        least: json.minItems,
        most: json.maxItems,
      });
    case "object":
      return classOf(json, path, making);
    default:
      throw new Error(`${path}: a document that Python reads can't hold ${JSON.stringify(json)}`);
  }
}

function marked(type: string, mark: string, bounds: Readonly<Record<string, unknown>>): string {
  const given = Object.entries(bounds).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}=${name === "matching" ? pattern(value as string) : literal(value as number)}`],
  );
  return given.length === 0 ? type : `Annotated[${type}, ${mark}(${given.join(", ")})]`;
}

function defaultOf(json: Json, value: unknown, path: string, making: Making): string {
  if (isDecimal(json, making)) return decimal(Number(value));
  if (json.type !== "object") return literal(value as Value);
  const { properties } = objectOf(json, path);
  const given = Object.entries(value as Json).map(
    ([key, inner]) => `${snakeCase(key)}=${defaultOf(properties[key] as Json, inner, `${path}.${key}`, making)}`,
  );
  return `${making.name(path)}(${given.join(", ")})`;
}

const isDecimal = (json: Json, making: Making) => typeof json.pattern === "string" && making.isDecimal(json.pattern);
const decimal = (value: number) => (Number.isInteger(value) ? `${value}.0` : String(value));

function objectOf(json: Json, path: string): { properties: Readonly<Record<string, Json>>; required: readonly string[] } {
  if (json.type !== "object" || !json.properties) throw new Error(`${path || "the root"}: no object with fields of known names`);
  return { properties: json.properties as Record<string, Json>, required: (json.required as string[] | undefined) ?? [] };
}

/** What a string may be, where its schema lists it. */
function choicesOf({ const: only, enum: several }: Json): readonly string[] | undefined {
  return typeof only === "string" ? [only] : (several as string[] | undefined);
}

/** `tokenFile` → `token_file`. Throws for a name that `parsing.py` wouldn't find again. */
export function snakeCase(name: string): string {
  const snake = name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (snake.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()) !== name) throw new Error(`${name} is no camelCase`);
  return snake;
}

const constantName = (name: string) => name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").toUpperCase();

/** JavaScript's and Python's patterns are alike, as far as schemas use them; only JavaScript escapes a slash. */
function pattern(source: string): string {
  if (source.includes('"')) throw new Error(`${source}: a quotation mark would end the pattern`);
  return `r"${source.replaceAll("\\/", "/")}"`;
}

function docstring(about: string): string {
  if (/"""|\\|"$/.test(about)) throw new Error(`${about}: no docstring of Python's can hold this`);
  return `"""${about}"""`;
}

function indented(lines: string): string {
  return lines
    .split("\n")
    .map((line) => (line === "" ? "" : `    ${line}`))
    .join("\n");
}
