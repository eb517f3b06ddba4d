import { z } from "zod";
import { isJsonObject } from "../core/json-object.ts";

/** A Kubernetes structural schema: the part of OpenAPI v3 that a CustomResourceDefinition may use. No type: any value. */
export interface Structural {
  description?: string;
  type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  format?: string;
  nullable?: boolean;
  enum?: readonly (string | number | boolean)[];
  default?: unknown;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  /** Further conditions on the same value. */
  allOf?: readonly { pattern?: string }[];
  items?: Structural;
  properties?: Record<string, Structural>;
  additionalProperties?: Structural;
  required?: readonly string[];
  "x-kubernetes-list-type"?: "atomic" | "map" | "set";
  "x-kubernetes-list-map-keys"?: readonly string[];
  "x-kubernetes-map-type"?: "atomic" | "granular";
  "x-kubernetes-preserve-unknown-fields"?: true;
  "x-kubernetes-int-or-string"?: true;
  "x-kubernetes-embedded-resource"?: true;
  "x-kubernetes-validations"?: readonly Validation[];
}

/** A rule in CEL, as `.meta({ "x-kubernetes-validations": [rule] })` declares it on any part of a schema. */
export interface Validation {
  /** Must be true: `self.min <= self.max`; with `oldSelf` it is about changes. */
  rule: string;
  /** What a person reads where it is not. */
  message?: string;
  /** Relative to the part that has the rule: `.min`. */
  fieldPath?: string;
  reason?: "FieldValueForbidden" | "FieldValueInvalid" | "FieldValueRequired" | "FieldValueDuplicate";
}

type Json = Record<string, unknown>;

const carried = [
  "nullable",
  "enum",
  "default",
  "minLength",
  "maxLength",
  "pattern",
  "minimum",
  "maximum",
  "exclusiveMinimum",
  "exclusiveMaximum",
  "multipleOf",
  "minItems",
  "maxItems",
  "minProperties",
  "maxProperties",
  "required",
  "x-kubernetes-map-type",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource",
  "x-kubernetes-validations",
] as const;
const handled = new Set<string>([
  ...carried,
  "description",
  "type",
  "format",
  "readOnly",
  "allOf",
  "items",
  "properties",
  "additionalProperties",
  "propertyNames",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-int-or-string",
]);

/** Those that an API server checks as zod does; of others the pattern, where zod gives one, says the same. */
const formats = ["date-time", "date", "byte", "email", "hostname", "ipv4", "ipv6", "uri", "uuid"];

/**
 * The structural schema of a zod schema, of what it takes in. `.meta({ … })` adds any `x-kubernetes-…` field.
 *
 * @throws Error with the path of the first thing that a CustomResourceDefinition can't say (unions of objects, tuples,
 * references, strict objects), so that it is seen here rather than by an API server.
 *
 * @example
 * ```ts
 * import { structural } from "kopf-ts/manifests";
 * import { z } from "zod";
 *
 * const schema = structural(z.object({ size: z.number().int().min(1).max(9).default(1), tags: z.array(z.string()).optional() }));
 * console.log(schema.properties?.size?.default);
 * ```
 */
export function structural(schema: z.ZodType): Structural {
  return adapt(z.toJSONSchema(schema, { target: "openapi-3.0", io: "input" }) as Json, "");
}

function adapt(json: Json, path: string): Structural {
  const simple = isIntOrString(json.anyOf) ? intOrString(json) : json;
  for (const key of Object.keys(simple)) {
    if (!handled.has(key))
      refuse(path, `${key}${key === "anyOf" || key === "oneOf" ? ": write one object whose fields are optional, and a rule" : ""}`);
  }
  refuseForeignPattern(simple.pattern, path);
  const type = typeOf(simple, path);
  const out: Json = {};
  if (simple.description !== undefined) out.description = simple.description;
  if (type) out.type = type;
  const format = formatOf(simple, type);
  if (format) out.format = format;
  for (const key of carried) if (simple[key] !== undefined) out[key] = simple[key];
  if (format === "date-time" || format === "date") delete out.pattern; // the format says it, and zod's pattern is a screenful
  if (simple.allOf) out.allOf = patternsOf(simple.allOf, path);
  return { ...out, ...childrenOf(simple, type, path) } as unknown as Structural;
}

function refuse(path: string, what: string): never {
  throw new Error(`${path || "the root"}: a CustomResourceDefinition can't hold ${what}`);
}

function typeOf(json: Json, path: string): Structural["type"] {
  const { type } = json;
  if (json["x-kubernetes-int-or-string"]) return undefined;
  if (type === undefined && (Object.keys(json).length === 0 || isAnything(json))) return undefined;
  if (type === "number" && Array.isArray(json.enum) && json.enum.every(Number.isInteger)) return "integer";
  if (type === "object" || type === "array" || type === "string" || type === "integer" || type === "number" || type === "boolean")
    return type;
  return refuse(path, `the type ${JSON.stringify(type)}`);
}

/** Whether nothing is said of the value but words, a default and `x-kubernetes-…`. */
function isAnything(json: Json): boolean {
  return Object.keys(json).every(
    (key) => key === "description" || key === "default" || key === "nullable" || key.startsWith("x-kubernetes-"),
  );
}

function formatOf(json: Json, type: Structural["type"]): string | undefined {
  if (type === "string") return formats.find((format) => format === json.format);
  if (type !== "integer") return undefined;
  const bounds = Array.isArray(json.enum) ? (json.enum as number[]) : [json.minimum as number, json.maximum as number];
  return bounds.every((bound) => bound >= -(2 ** 31) && bound < 2 ** 31) ? "int32" : "int64";
}

function childrenOf(json: Json, type: Structural["type"], path: string): Partial<Structural> {
  if (json["x-kubernetes-int-or-string"]) return { "x-kubernetes-int-or-string": true };
  if (type === undefined) return { "x-kubernetes-preserve-unknown-fields": true };
  if (type === "array") {
    return {
      "x-kubernetes-list-type": (json["x-kubernetes-list-type"] as "map" | undefined) ?? "atomic",
      ...(json["x-kubernetes-list-map-keys"] ? { "x-kubernetes-list-map-keys": json["x-kubernetes-list-map-keys"] as string[] } : {}),
      items: adapt(json.items as Json, `${path}[]`),
    };
  }
  if (type !== "object") return {};
  const isOpen = isJsonObject(json.additionalProperties) && Object.keys(json.additionalProperties).length === 0;
  const open = isOpen ? ({ "x-kubernetes-preserve-unknown-fields": true } as const) : {};
  if (!json.properties) return isOpen ? open : { additionalProperties: adapt(json.additionalProperties as Json, `${path}{}`) };
  if (json.additionalProperties !== undefined && !isOpen)
    throw new Error(`${path || "the root"}: additionalProperties beside properties; use z.object`);
  const properties = Object.entries(json.properties as Record<string, Json>);
  return {
    ...open,
    properties: Object.fromEntries(properties.map(([name, value]) => [name, adapt(value, path ? `${path}.${name}` : name)])),
  };
}

function isIntOrString(anyOf: unknown): anyOf is Json[] {
  return (
    Array.isArray(anyOf) &&
    anyOf
      .map(({ type }) => type)
      .sort()
      .join() === "integer,string"
  );
}

/** `80` or `"80%"`: the conditions on each hold for it alone. */
function intOrString({ anyOf, ...json }: Json): Json {
  const [one, other] = anyOf as [Json, Json];
  const { type: _type, format: _format, ...conditions } = { ...one, ...other };
  return { ...json, ...conditions, "x-kubernetes-int-or-string": true };
}

/** A string with several patterns. */
function patternsOf(allOf: unknown, path: string): { pattern: string }[] {
  return (allOf as Json[]).map(({ type: _type, pattern, ...rest }) => {
    if (typeof pattern !== "string" || Object.keys(rest).length > 0) return refuse(path, "allOf");
    refuseForeignPattern(pattern, path);
    return { pattern };
  });
}

/** API servers read patterns as Go's regexp does: without looking around, and without references back. */
function refuseForeignPattern(pattern: unknown, path: string): void {
  if (typeof pattern === "string" && /\(\?(?:[=!]|<[=!])|\\[1-9]|\\k</.test(pattern.replaceAll("\\\\", "")))
    refuse(path, `the pattern ${pattern}, which looks around or refers back; write a rule in CEL`);
}

/** Calls `visit` for the schema and everything in it; paths look like `spec.arms[].name` and `labels{}`. */
export function walk(schema: Structural, visit: (path: string, schema: Structural) => void, path = ""): void {
  visit(path, schema);
  if (schema.items) walk(schema.items, visit, `${path}[]`);
  if (schema.additionalProperties) walk(schema.additionalProperties, visit, `${path}{}`);
  for (const [name, value] of Object.entries(schema.properties ?? {})) walk(value, visit, path ? `${path}.${name}` : name);
}
