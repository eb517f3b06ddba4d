import type { Structural } from "kopf-ts/manifests";
import type { KindDefinition } from "../kinds/kind.ts";
import { apiVersion } from "../words/group.ts";
import { frozenFields, rootSchema } from "./definition.ts";

interface Row {
  path: string;
  schema: Structural;
  required: boolean;
}

/** The reference page of a kind, in Markdown. */
export function referencePage(kind: KindDefinition): string {
  const { spec, status } = rootSchema(kind).properties as { spec: Structural; status: Structural };
  const frozen = frozenFields(kind);
  return [
    `# ${kind.kind}`,
    "",
    kind.description,
    "",
    `\`apiVersion: ${apiVersion}\`, \`kind: ${kind.kind}\`, short name \`${kind.shortNames.join("`, `")}\`, namespaced. Names have at most ${kind.nameMaxLength} characters.`,
    "",
    "## Spec",
    "",
    mutability(kind, frozen),
    "",
    table(rows(spec, "spec")),
    "",
    "## Rules",
    "",
    ...kind.rules.map(({ message }) => `- ${message}.`),
    "",
    "## Status",
    "",
    table(rows(status, "status")),
    "",
  ].join("\n");
}

function mutability(kind: KindDefinition, frozen: readonly string[]): string {
  if (kind.mutable.length === 0) return `Every field is frozen at creation: ${kind.frozenBecause}.`;
  const list = (names: readonly string[]) => names.map((name) => `\`${name}\``).join(", ");
  return `Frozen at creation: ${list(frozen)}. May change: ${list(kind.mutable)}.`;
}

function rows(schema: Structural, path: string): Row[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const at = `${path}.${name}`;
    return [{ path: at, schema: property, required: schema.required?.includes(name) ?? false }, ...below(property, at)];
  });
}

function below(schema: Structural, path: string): Row[] {
  if (schema.items) return below(schema.items, `${path}[]`);
  return rows(schema, path);
}

function table(all: readonly Row[]): string {
  const head = "| Field | Type | Constraints | Default | Description |\n|---|---|---|---|---|";
  const line = ({ path, schema, required }: Row) =>
    `| \`${path}\` | ${typeName(schema)} | ${constraints(schema, required)} | ${defaultOf(schema)} | ${cell(schema.description ?? "")} |`;
  return [head, ...all.map(line)].join("\n");
}

function typeName(schema: Structural): string {
  if (schema.items) return `list of ${typeName(schema.items)}`;
  if (schema.additionalProperties) return `map of ${typeName(schema.additionalProperties)}`;
  return schema.format === "date-time" ? "time" : (schema.type ?? "anything");
}

function constraints(schema: Structural, required: boolean): string {
  const { items } = schema;
  const own = [
    required ? "required" : "",
    schema.enum ? schema.enum.map((value) => `\`${value}\``).join(", ") : "",
    range("", schema.enum ? {} : { from: schema.minimum, to: schema.maximum }),
    range(" characters", { from: schema.minLength, to: schema.maxLength }),
    range(" items", { from: schema.minItems, to: schema.maxItems }),
    range(" entries", { from: schema.minProperties, to: schema.maxProperties }),
    schema.pattern ? `\`${schema.pattern}\`` : "",
    schema["x-kubernetes-list-map-keys"] ? `one per \`${schema["x-kubernetes-list-map-keys"].join("`, `")}\`` : "",
  ];
  const each = items && !items.properties ? constraints(items, false) : "";
  return cell([...own, each ? `each ${each}` : ""].filter(Boolean).join("; "));
}

function range(unit: string, { from, to }: { from?: number; to?: number }): string {
  if (from !== undefined && from === to) return `${from}${unit}`;
  if (from !== undefined && to !== undefined) return `${from} to ${to}${unit}`;
  if (to !== undefined) return `at most ${to}${unit}`;
  return from === undefined ? "" : `at least ${from}${unit}`;
}

function defaultOf(schema: Structural): string {
  return schema.default === undefined ? "" : cell(`\`${JSON.stringify(schema.default)}\``);
}

/** A pipe would end the cell. */
function cell(words: string): string {
  return words.replaceAll("|", "\\|");
}
