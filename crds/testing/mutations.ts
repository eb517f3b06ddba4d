import { type Structural, walk } from "kopf-ts/manifests";

/** One legal change of a spec. */
export interface Mutation {
  /** The change and its path, such as `change base.digest`. */
  name: string;
  /** Top-level field of the spec that it changes. */
  field: string;
  spec: Record<string, unknown>;
}

type Path = (string | number)[];
type Place = Record<string | number, unknown>;

/**
 * Every change of one thing in a spec that the schema alone allows: each leaf with another value, each optional field
 * that is set removed, each one that isn't added.
 */
export function mutationsOf(schema: Structural, spec: Record<string, unknown>): Mutation[] {
  const mutations: Mutation[] = [];
  const record = (verb: string, path: Path, value?: unknown) => {
    mutations.push({ name: `${verb} ${path.join(".")}`, field: String(path[0]), spec: replaced(spec, path, value) });
  };
  visitFields(schema, spec, [], (path, field, { value, required }) => {
    if (value === undefined) {
      record("add", path, legalValue(field));
      return;
    }
    if (!required && field.default === undefined) record("remove", path);
    if (!field.properties && !(field.enum?.length === 1)) record("change", path, otherValue(field, value));
  });
  return mutations;
}

/** A copy of the spec with another value at a path; if undefined, the field is removed. */
function replaced(spec: Record<string, unknown>, path: Path, value: unknown): Record<string, unknown> {
  const copy = structuredClone(spec);
  const place = path.slice(0, -1).reduce<Place>((at, key) => at[key] as Place, copy);
  const key = path.at(-1) as string | number;
  if (value === undefined) delete place[key];
  else place[key] = value;
  return copy;
}

type Visit = (path: Path, schema: Structural, state: { value: unknown; required: boolean }) => void;

function visitFields(schema: Structural, at: unknown, path: Path, visit: Visit): void {
  if (schema.items && Array.isArray(at)) {
    for (const [index, item] of at.entries()) visitFields(schema.items, item, [...path, index], visit);
  }
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const value = (at as Place)[name];
    visit([...path, name], property, { value, required: schema.required?.includes(name) ?? false });
    if (value !== undefined) visitFields(property, value, [...path, name], visit);
  }
}

const words = [
  "x",
  "y",
  "1",
  "2",
  "0.125",
  "0.25",
  "sha256:".padEnd(71, "0"),
  "sha256:".padEnd(71, "1"),
  "0".repeat(40),
  "1".repeat(40),
  "xyz",
  "zyx",
];

function isLegalText(schema: Structural, text: string): boolean {
  return text.length >= (schema.minLength ?? 0) && text.length <= (schema.maxLength ?? 0) && new RegExp(schema.pattern ?? "").test(text);
}

/** A value that the schema allows and that differs from `avoid`. */
function legalValue(schema: Structural, avoid?: unknown): unknown {
  const values = candidates(schema).filter((value) => JSON.stringify(value) !== JSON.stringify(avoid));
  if (values.length === 0) throw new Error(`no legal value other than ${JSON.stringify(avoid)} for ${JSON.stringify(schema)}`);
  return values[0];
}

function candidates(schema: Structural): unknown[] {
  if (schema.enum) return [...schema.enum];
  switch (schema.type) {
    case "boolean":
      return [true, false];
    case "integer":
      return [schema.minimum, schema.maximum];
    case "string":
      return words.filter((word) => isLegalText(schema, word));
    case "array":
      return runsOf(candidates(schema.items as Structural), schema.minItems || 1);
    case "object":
      if (schema.additionalProperties) return [{ x: "y" }, { x: "z" }];
      return [Object.fromEntries((schema.required ?? []).map((name) => [name, legalValue(schema.properties?.[name] as Structural)]))];
    default:
      throw new Error(`no field of ours is ${schema.type ?? "of any type"}`);
  }
}

/** All runs of `length` adjacent items of a list. */
function runsOf(items: unknown[], length: number): unknown[][] {
  return items.slice(0, items.length - length + 1).map((_, start) => items.slice(start, start + length));
}

/** Lists of objects change by a removed or duplicated item; everything else by another value. */
function otherValue(schema: Structural, value: unknown): unknown {
  if (!schema.items?.properties || !Array.isArray(value)) return legalValue(schema, value);
  return value.length > 1 ? value.slice(1) : [...value, legalValue(schema.items)];
}

/** Paths of every field below a schema, without list items and map values themselves. */
export function fieldPaths(schema: Structural): string[] {
  const paths: string[] = [];
  walk(schema, (path) => {
    if (path && !path.endsWith("[]") && !path.endsWith("{}")) paths.push(path);
  });
  return paths;
}
