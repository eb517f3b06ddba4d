import type { Structural, Validation } from "kopf-ts/manifests";
import type { Column, KindDefinition } from "../kinds/kind.ts";
import { group, version } from "../words/group.ts";
import { structural } from "./structural.ts";

/** Characters that the API server appends to `generateName`. */
const generatedSuffix = 5;

/** The CustomResourceDefinition of a kind, as plain data. */
export function customResourceDefinition(kind: KindDefinition) {
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${kind.plural}.${group}` },
    spec: {
      group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural: kind.plural,
        singular: kind.singular,
        shortNames: [...kind.shortNames],
        categories: ["rune"],
      },
      scope: "Namespaced",
      versions: [
        {
          name: version,
          served: true,
          storage: true,
          additionalPrinterColumns: kind.columns.map(printerColumn),
          subresources: { status: {}, ...(kind.scale ? { scale: kind.scale } : {}) },
          schema: { openAPIV3Schema: rootSchema(kind) },
        },
      ],
    },
  };
}

/** The whole object's schema: metadata bounded for CEL's cost limit, frozen fields, and the kind's own rules. */
export function rootSchema(kind: KindDefinition): Structural {
  return {
    description: kind.description,
    type: "object",
    required: ["spec"],
    properties: {
      apiVersion: { type: "string", description: "API version of the object." },
      kind: { type: "string", description: "Kind of the object." },
      metadata: metadataSchema(kind.nameMaxLength),
      spec: specSchema(kind),
      status: {
        ...structural(kind.status),
        description: "Observed state of the object. Written by the operator only.",
        default: { observedGeneration: -1 },
      },
    },
    "x-kubernetes-validations": kind.rules.map(({ rule, message, field }) => ({
      rule,
      message,
      fieldPath: field,
      reason: "FieldValueForbidden",
    })),
  };
}

function metadataSchema(nameMaxLength: number): Structural {
  return {
    type: "object",
    properties: {
      name: { type: "string", maxLength: nameMaxLength, pattern: "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$" },
      generateName: { type: "string", maxLength: nameMaxLength - generatedSuffix },
    },
  };
}

function specSchema(kind: KindDefinition): Structural {
  const schema = structural(kind.spec);
  const frozen = frozenFields(kind).map((name) => frozenRule(kind, name, schema.required?.includes(name) ?? false));
  return { ...schema, description: "Desired state of the object.", ...(frozen.length ? { "x-kubernetes-validations": frozen } : {}) };
}

/** Top-level spec fields that can't change after creation. */
export function frozenFields(kind: KindDefinition): string[] {
  return Object.keys(kind.spec.shape).filter((name) => !kind.mutable.includes(name));
}

/**
 * Refuses changes, for optional fields also adding and removing. Forbidden instead of Invalid, so the response doesn't
 * echo the object.
 */
function frozenRule(kind: KindDefinition, name: string, required: boolean): Validation {
  const same = `self.${name} == oldSelf.${name}`;
  return {
    rule: required ? same : `has(self.${name}) == has(oldSelf.${name}) && (!has(self.${name}) || ${same})`,
    message: frozenMessage(kind, name),
    fieldPath: `.${name}`,
    reason: "FieldValueForbidden",
  };
}

export function frozenMessage(kind: KindDefinition, name: string): string {
  return `spec.${name} is frozen: ${kind.frozenBecause}`;
}

function printerColumn(column: Column) {
  const { name, type, jsonPath, description, priority } = column;
  return { name, type, jsonPath, description, ...(priority ? { priority } : {}) };
}
