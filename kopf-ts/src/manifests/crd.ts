import type { z } from "zod";
import { isBuiltin, nameOf, type PrinterColumn, type Resource } from "../api/resource.ts";
import { type Structural, structural } from "./structural.ts";

/** A CustomResourceDefinition, as plain data: whatever is applied, it can be changed before. */
export interface CustomResourceDefinition {
  apiVersion: "apiextensions.k8s.io/v1";
  kind: "CustomResourceDefinition";
  metadata: { name: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  spec: {
    group: string;
    scope: "Namespaced" | "Cluster";
    names: { kind: string; listKind: string; plural: string; singular: string; shortNames?: string[]; categories?: string[] };
    versions: CustomResourceVersion[];
  };
}

/** One version of a CustomResourceDefinition. */
export interface CustomResourceVersion {
  name: string;
  served: boolean;
  storage: boolean;
  deprecated?: boolean;
  additionalPrinterColumns?: PrinterColumn[];
  subresources: { status: object; scale?: Resource["scale"] };
  schema: { openAPIV3Schema: Structural };
}

/**
 * The CustomResourceDefinition of a kind that was declared with `resource(…)`: its schema as the API server checks it,
 * the status subresource, columns, short names, and the rules in CEL that the schema declares. What the framework
 * writes into status (`conditions`, `observedGeneration`) is added where the schema does not have it, for an API server
 * drops what it does not know. A kind without a schema takes anything in `spec` and `status`.
 *
 * @throws Error for a kind that Kubernetes itself brings, and with the path of what a CustomResourceDefinition can't say.
 *
 * @example
 * ```ts
 * import { resource } from "kopf-ts";
 * import { crdOf } from "kopf-ts/manifests";
 * import { z } from "zod";
 *
 * const schema = z.object({
 *   spec: z
 *     .object({ min: z.number().int().default(1), max: z.number().int() })
 *     .meta({ "x-kubernetes-validations": [{ rule: "self.min <= self.max", message: "min must not be above max" }] }),
 *   status: z.object({ replicas: z.number().int().optional() }).optional(),
 * });
 * const fleets = resource({
 *   group: "example.dev",
 *   version: "v1",
 *   kind: "Fleet",
 *   plural: "fleets",
 *   shortNames: ["fl"],
 *   columns: [{ name: "Replicas", type: "integer", jsonPath: ".status.replicas" }],
 *   schema,
 * });
 * console.log(crdOf(fleets).metadata.name);
 * ```
 */
export function crdOf(resource: Resource): CustomResourceDefinition {
  const { group, version, kind, plural, namespaced, columns = [], scale, shortNames = [], categories = [] } = resource;
  if (isBuiltin(resource))
    throw new Error(`Kubernetes brings ${nameOf(resource)} itself; a CustomResourceDefinition is for a group of your own`);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: nameOf(resource) },
    spec: {
      group,
      scope: namespaced ? "Namespaced" : "Cluster",
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: resource.singular ?? kind.toLowerCase(),
        ...(shortNames.length > 0 ? { shortNames: [...shortNames] } : {}),
        ...(categories.length > 0 ? { categories: [...categories] } : {}),
      },
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          ...(columns.length > 0 ? { additionalPrinterColumns: [...columns] } : {}),
          subresources: { status: {}, ...(scale ? { scale } : {}) },
          schema: { openAPIV3Schema: rootSchema(resource) },
        },
      ],
    },
  };
}

const anything: Structural = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

function rootSchema(resource: Resource): Structural {
  const { properties = {}, ...root } = schemaOf(resource);
  const { spec, status, metadata, apiVersion: _apiVersion, kind: _kind, ...others } = properties;
  return {
    ...root,
    type: "object",
    ...(root.required ? { required: root.required.filter((name) => !["apiVersion", "kind", "metadata", "status"].includes(name)) } : {}),
    properties: {
      apiVersion: { type: "string" },
      kind: { type: "string" },
      metadata: metadataSchema(metadata),
      ...(spec ? { spec } : {}),
      ...others,
      status: status ? withFrameworkFields(status) : anything,
    },
  };
}

function schemaOf(resource: Resource): Structural {
  const { schema } = resource;
  if (!schema) return { type: "object", properties: { spec: anything } };
  if (!("_zod" in schema))
    throw new Error(`the schema of ${nameOf(resource)} is none of zod's, version 4, so no definition can be made of it`);
  try {
    return structural(schema as unknown as z.ZodType);
  } catch (error) {
    throw new Error(`${nameOf(resource)}, ${(error as Error).message}`, { cause: error });
  }
}

/** Of metadata an API server lets a definition restrict the names alone. */
function metadataSchema({ properties = {} }: Structural = {}): Structural {
  const names = Object.entries(properties).filter(([name]) => name === "name" || name === "generateName");
  return { type: "object", ...(names.length > 0 ? { properties: Object.fromEntries(names) } : {}) };
}

function withFrameworkFields(status: Structural): Structural {
  return { ...status, properties: { observedGeneration: { type: "integer", format: "int64" }, conditions, ...status.properties } };
}

/** `metav1.Condition`. */
const conditions: Structural = {
  type: "array",
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["type"],
  items: {
    type: "object",
    required: ["type", "status", "reason", "message", "lastTransitionTime"],
    properties: {
      type: { type: "string", maxLength: 316 },
      status: { type: "string", enum: ["True", "False", "Unknown"] },
      reason: { type: "string", maxLength: 1024 },
      message: { type: "string", maxLength: 32768 },
      lastTransitionTime: { type: "string", format: "date-time" },
      observedGeneration: { type: "integer", format: "int64", minimum: 0 },
    },
  },
};
