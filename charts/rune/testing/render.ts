import { join } from "node:path";
import { attempt, CommandFailed } from "@rune/cluster/shell";
import { helmPath } from "@rune/cluster/tools";
import { parse, parseAllDocuments, stringify } from "yaml";

// biome-ignore lint/suspicious/noExplicitAny: rendered manifests are looked at field by field
export type Manifest = any;

export const chart = join(import.meta.dirname, "..");

const template = async (values: object, release: string, namespace: string) =>
  await attempt(await helmPath(), ["template", release, chart, "--namespace", namespace, "--values", "-"], { input: stringify(values) });

/** The manifests that Helm installs with these values. */
export async function render(values: object = {}, { release = "rune", namespace = "rune-system" } = {}): Promise<Manifest[]> {
  const result = await template(values, release, namespace);
  if (result.code !== 0) throw new CommandFailed("helm template", result);
  return parseAllDocuments(result.stdout).flatMap((document) => document.toJS() ?? []);
}

/** Helm's error for these values; empty if there is none. */
export async function refusal(values: object): Promise<string> {
  const { code, stderr } = await template(values, "rune", "rune-system");
  return code === 0 ? "" : stderr;
}

export const ofKind = (all: Manifest[], kind: string) => all.filter((one) => one.kind === kind);
export const named = (all: Manifest[], kind: string, name: string) => all.find((one) => one.kind === kind && one.metadata.name === name);

/** The operator's configuration in rendered manifests. */
export const configOf = (all: Manifest[]) => parse(named(all, "ConfigMap", "rune-config").data["config.yaml"]);
