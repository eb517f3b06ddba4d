import { readFileSync } from "node:fs";
import { join } from "node:path";
import { run } from "@rune/cluster/shell";
import { kubectlCommand } from "@rune/cluster/tools";
import { kinds } from "@rune/crds/kinds/kinds";
import { expect, test } from "vitest";
import { parseAllDocuments } from "yaml";
import { rendered } from "./render.ts";

test("the manifests are what the chart renders", { timeout: 30_000 }, async () => {
  expect(readFileSync(join(import.meta.dirname, "rune.yaml"), "utf8"), "run `node charts/apply/render.ts`").toBe(await rendered());
});

test("kustomize puts namespace, CRDs and manifests together", { timeout: 60_000 }, async () => {
  const [command, ...first] = await kubectlCommand();
  const text = await run(command, [...first, "kustomize", import.meta.dirname]);
  const all = parseAllDocuments(text).map((document) => document.toJS());
  expect(all.filter(({ kind }) => kind === "CustomResourceDefinition")).toHaveLength(kinds.length);
  expect(all.find(({ kind }) => kind === "Namespace").metadata.name).toBe("rune-system");
  expect(all.find(({ kind, metadata }) => kind === "Deployment" && metadata.name === "rune-operator")).toBeDefined();
  expect(text).not.toContain("helm.sh/");
});
