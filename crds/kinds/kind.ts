import type { z } from "zod";
import { ConditionType } from "../words/conditions.ts";
import { apiVersion, group } from "../words/group.ts";

/** A CEL rule on the root of an object, with the message for people. */
export interface Rule {
  rule: string;
  /** Path of the field that the message is about, such as `.spec.base`; kubectl prints it in front. */
  field: string;
  message: string;
}

/** A column of `kubectl get`; priority 1 is shown with `-o wide`. */
export interface Column {
  name: string;
  type: "string" | "integer" | "date" | "boolean";
  jsonPath: string;
  description: string;
  priority?: 0 | 1;
}

export interface KindDefinition<Spec extends z.ZodObject = z.ZodObject, Status extends z.ZodObject = z.ZodObject> {
  kind: string;
  plural: string;
  singular: string;
  shortNames: readonly string[];
  description: string;
  /** Longest legal `metadata.name`, so that names derived from it stay DNS labels. */
  nameMaxLength: number;
  spec: Spec;
  status: Status;
  /** Top-level spec fields that may change; all others are frozen at creation. */
  mutable: readonly string[];
  /** Ends the message "spec.x is frozen: …" for this kind. */
  frozenBecause: string;
  rules: readonly Rule[];
  columns: readonly Column[];
  /** JSON paths of the scale subresource, for kinds that have one. */
  scale?: { specReplicasPath: string; statusReplicasPath: string; labelSelectorPath: string };
}

export interface ObjectMeta {
  name: string;
  namespace: string;
  uid: string;
  generation: number;
  resourceVersion: string;
  creationTimestamp: string;
  deletionTimestamp?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  finalizers?: string[];
  ownerReferences?: { apiVersion: string; kind: string; name: string; uid: string; controller?: boolean; blockOwnerDeletion?: boolean }[];
}

/** An object of a kind as the API server returns it. */
export interface ObjectOf<Definition extends KindDefinition> {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: z.output<Definition["spec"]>;
  status?: z.output<Definition["status"]>;
}

export function defineKind<Spec extends z.ZodObject, Status extends z.ZodObject>(
  definition: KindDefinition<Spec, Status>,
): KindDefinition<Spec, Status> {
  return definition;
}

/** What a client needs to address objects of a kind. */
export function resourceOf(definition: KindDefinition): { group: string; version: string; plural: string; kind: string; namespaced: true } {
  const version = apiVersion.slice(group.length + 1);
  return { group, version, plural: definition.plural, kind: definition.kind, namespaced: true };
}

/** Where a column finds what a condition says. */
export const conditionPath = (type: ConditionType, field: "status" | "reason" | "message") =>
  `.status.conditions[?(@.type=="${type}")].${field}`;

const ready: Column = {
  name: "Ready",
  type: "string",
  jsonPath: conditionPath(ConditionType.Ready, "status"),
  description: "Status of the condition Ready.",
};
const reason: Column = {
  name: "Reason",
  type: "string",
  jsonPath: conditionPath(ConditionType.Ready, "reason"),
  description: "Reason of the condition Ready.",
};
const message: Column = {
  name: "Status",
  type: "string",
  jsonPath: conditionPath(ConditionType.Ready, "message"),
  description: "Message of the condition Ready.",
  priority: 1,
};
const age: Column = { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", description: "Time since creation." };

/** Ready and Reason first, then the kind's columns, Status (wide) and Age last: the same for every kind. */
export function columns(...own: Column[]): Column[] {
  return [ready, reason, ...own, message, age];
}
