import { z } from "zod";

/** A Kubernetes structural schema: the part of OpenAPI v3 that a CustomResourceDefinition may use. */
export interface Structural {
  description?: string;
  type: "object" | "array" | "string" | "integer" | "boolean";
  format?: string;
  enum?: readonly (string | number)[];
  default?: unknown;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  minItems?: number;
  maxItems?: number;
  minProperties?: number;
  maxProperties?: number;
  items?: Structural;
  properties?: Record<string, Structural>;
  additionalProperties?: Structural;
  required?: readonly string[];
  "x-kubernetes-list-type"?: "atomic" | "map" | "set";
  "x-kubernetes-list-map-keys"?: readonly string[];
  "x-kubernetes-validations"?: readonly Validation[];
}

export interface Validation {
  rule: string;
  message: string;
  fieldPath?: string;
  reason?: "FieldValueForbidden" | "FieldValueInvalid";
}

type Json = Record<string, unknown>;

const carried = [
  "enum",
  "default",
  "minLength",
  "maxLength",
  "pattern",
  "minimum",
  "maximum",
  "minItems",
  "maxItems",
  "minProperties",
  "maxProperties",
  "required",
] as const;
const handled = new Set<string>([
  ...carried,
  "description",
  "type",
  "format",
  "items",
  "properties",
  "additionalProperties",
  "propertyNames",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
]);

/**
 * The structural schema of a zod schema. Throws with the path of the first thing that a CustomResourceDefinition can't say
 * (unions, tuples, references, floats, unknown), so that it is seen when generating rather than by an API server.
 */
export function structural(schema: z.ZodType): Structural {
  return adapt(z.toJSONSchema(schema, { target: "openapi-3.0", io: "input" }) as Json, "");
}

function adapt(json: Json, path: string): Structural {
  for (const key of Object.keys(json)) {
    if (!handled.has(key)) throw new Error(`${path || "the root"}: a CustomResourceDefinition can't hold ${key}`);
  }
  const type = typeOf(json, path);
  const out: Json = {};
  if (json.description !== undefined) out.description = json.description;
  out.type = type;
  const format = formatOf(json, type);
  if (format) out.format = format;
  for (const key of carried) if (json[key] !== undefined) out[key] = json[key];
  if (format === "date-time") delete out.pattern; // the format says it, and zod's pattern is a screenful
  return { ...out, ...childrenOf(json, type, path) } as unknown as Structural;
}

function typeOf(json: Json, path: string): Structural["type"] {
  const { type } = json;
  if (type === "number" && Array.isArray(json.enum) && json.enum.every(Number.isInteger)) return "integer";
  if (type === "object" || type === "array" || type === "string" || type === "integer" || type === "boolean") return type;
  throw new Error(`${path || "the root"}: a CustomResourceDefinition can't hold the type ${JSON.stringify(type)}`);
}

function formatOf(json: Json, type: Structural["type"]): string | undefined {
  if (type !== "integer") return json.format as string | undefined;
  const bounds = Array.isArray(json.enum) ? (json.enum as number[]) : [json.minimum as number, json.maximum as number];
  return bounds.every((bound) => bound >= -(2 ** 31) && bound < 2 ** 31) ? "int32" : "int64";
}

function childrenOf(json: Json, type: Structural["type"], path: string): Partial<Structural> {
  if (type === "array") {
    return {
      "x-kubernetes-list-type": (json["x-kubernetes-list-type"] as "map" | undefined) ?? "atomic",
      ...(json["x-kubernetes-list-map-keys"] ? { "x-kubernetes-list-map-keys": json["x-kubernetes-list-map-keys"] as string[] } : {}),
      items: adapt(json.items as Json, `${path}[]`),
    };
  }
  if (type !== "object") return {};
  if (!json.properties) return { additionalProperties: adapt(json.additionalProperties as Json, `${path}{}`) };
  if (json.additionalProperties !== undefined)
    throw new Error(`${path || "the root"}: additionalProperties beside properties; use z.object`);
  const properties = Object.entries(json.properties as Record<string, Json>);
  return { properties: Object.fromEntries(properties.map(([name, value]) => [name, adapt(value, path ? `${path}.${name}` : name)])) };
}

/** Calls `visit` for the schema and everything in it; paths look like `spec.arms[].name` and `labels{}`. */
export function walk(schema: Structural, visit: (path: string, schema: Structural) => void, path = ""): void {
  visit(path, schema);
  if (schema.items) walk(schema.items, visit, `${path}[]`);
  if (schema.additionalProperties) walk(schema.additionalProperties, visit, `${path}{}`);
  for (const [name, value] of Object.entries(schema.properties ?? {})) walk(value, visit, path ? `${path}.${name}` : name);
}
