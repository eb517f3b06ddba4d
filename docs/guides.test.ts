import { globSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { kinds } from "@rune/crds/kinds/kinds";
import { completeKeys } from "@rune/operator/credentials/keys";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments } from "yaml";

const root = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(root, file), "utf8");
const guides = ["architecture", "artifacts", "backup", "glossary", "installing", "security", "troubleshooting", "upgrading", "walk"].map(
  (name) => `docs/${name}.md`,
);
const all = guides.map(read).join("\n");
const links = (text: string) => [...text.matchAll(/\[([^\]]+)\]\(([^)\s]+)\)/g)].map(([, name = "", target = ""]) => ({ name, target }));
const namesIn = (text: string, pattern: RegExp) => [...text.matchAll(pattern)].map(([, name = ""]) => name);
const rowsOf = (text: string) => [...text.matchAll(/^\| (.+) \|$/gm)].map(([, row = ""]) => row.split(" | "));
const inCode = (text: string) => [...text.replaceAll(/^ *```.*?^ *```$/gms, "").matchAll(/`([^`\n]+)`/g)].map(([, code = ""]) => code);
const fences = (text: string, first: string) =>
  [...text.matchAll(/^( *)```yaml\n(.*?)^ *```$/gms)]
    .map(([, indent = "", body = ""]) => body.replaceAll(new RegExp(`^${indent}`, "gm"), ""))
    .filter((body) => body.startsWith(first));

const schema = JSON.parse(read("charts/rune/values.schema.json")) as Schema;
const values = parse(read("charts/rune/values.yaml"));
const rendered = parseAllDocuments(read("charts/apply/rune.yaml")).map((document) => document.toJS());

interface Schema {
  properties?: Record<string, Schema>;
}

/** Whether the chart has a value of this dotted name. */
const isValue = (path: string) => path.split(".").reduce<Schema | undefined>((at, name) => at?.properties?.[name], schema) !== undefined;

describe("the guides", () => {
  test("stand in the reading order of docs/README.md", () => {
    const listed = links(read("docs/README.md")).map(({ target }) => target);
    expect(guides.map((file) => relative("docs", file)).filter((file) => !listed.includes(file))).toEqual([]);
  });

  test("name no value of the chart and no field of a kind that doesn't exist", () => {
    const fields = globSync("docs/api/*.md", { cwd: root }).flatMap((file) =>
      inCode(read(file)).flatMap((code) => (/^(spec|status)\b/.test(code) ? [`.${code.replaceAll("[]", "")}`] : [])),
    );
    const isField = (path: string) => fields.some((field) => field.endsWith(`.${path}`) || field.includes(`.${path}.`));
    const files = /\.(ts|py|json|jsonl|md|html|yaml|db|tar|jwk|jwks|jwt|secret|seed|creds|conf|crt)$/;
    const named = inCode(all).filter((code) => /^[a-z]\w*(\.[a-z]\w*)+$/i.test(code) && !files.test(code) && !code.includes("rune.dev"));
    expect(named.length).toBeGreaterThan(60);
    expect(named.filter((path) => !isValue(path) && !isField(path))).toEqual([]);
  });

  test("name no label, annotation or finalizer that isn't set", () => {
    const sources = globSync("{controllers,crds,operator}/**/*.ts", { cwd: root, exclude: (name) => name === "node_modules" });
    const set = new Set(sources.flatMap((file) => namesIn(read(file), /(?:\$\{group\}|\brune\.dev)\/([a-z][a-z-]+)/g)));
    const named = namesIn(all, /\brune\.dev\/([a-z][a-z-]+)/g);
    expect(named.length).toBeGreaterThan(5);
    expect(named.filter((name) => !set.has(name))).toEqual([]);
  });

  test("name no workload of the chart that it doesn't render", () => {
    const named = [...all.matchAll(/\b(deployment|statefulset)\/(rune-[a-z]+)/g)].map(([whole]) => whole);
    const there = rendered.map(({ kind, metadata }) => `${kind.toLowerCase()}/${metadata.name}`);
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter((name) => !there.includes(name))).toEqual([]);
    expect(rendered.flatMap(({ kind, metadata }) => (kind === "PersistentVolumeClaim" ? [metadata.name] : [])).sort()).toEqual(
      ["rune-mlflow", "rune-registry"].filter((claim) => read("docs/backup.md").includes(`claim \`${claim}\``)),
    );
  });
});

describe("architecture.md", () => {
  const page = read("docs/architecture.md");

  test("leads to every kind and to a file of every room", () => {
    const targets = links(page).map(({ target }) => relative(root, join(root, "docs", target)));
    const rooms = (JSON.parse(read("package.json")) as { workspaces: string[] }).workspaces.filter((room) => !room.startsWith("examples/"));
    expect(
      [...rooms, "workloads/sandbox", "gpu-images/trainer", "charts"].filter(
        (room) => !targets.some((file) => file.startsWith(`${room}/`)),
      ),
    ).toEqual([]);
    expect(kinds.map(({ kind }) => `docs/kinds/${kind.toLowerCase()}.md`).filter((file) => !targets.includes(file))).toEqual([]);
  });

  test("draws no arrow between boxes that it doesn't declare", () => {
    const [, picture = ""] = /```mermaid\n(.*?)```/s.exec(page) ?? [];
    const declared = new Set([...picture.matchAll(/^ *(\w+)(?:\["|\[\(|\[\/)/gm)].map(([, name]) => name));
    const arrows = [...picture.matchAll(/^ *(\w+) -[-.].*?-> (\w+)$/gm)].flatMap(([, from, to]) => [from, to]);
    expect(arrows.length).toBeGreaterThan(20);
    expect(arrows.filter((name) => !declared.has(name))).toEqual([]);
  });
});

describe("glossary.md", () => {
  const terms = rowsOf(read("docs/glossary.md"))
    .slice(1)
    .filter(([term]) => !term?.startsWith("---"));

  test("is sorted and has no term twice", () => {
    const names = terms.map(([term = ""]) => term.toLowerCase());
    expect(names.length).toBeGreaterThan(30);
    expect(names).toEqual([...new Set(names)].sort((a, b) => a.localeCompare(b, "en")));
  });

  test("leads from every term to a page", () => {
    expect(terms.filter(([, meaning = ""]) => links(meaning).length === 0).map(([term]) => term)).toEqual([]);
  });
});

describe("installing.md", () => {
  const page = read("docs/installing.md");

  test("lists exactly the images that the chart refers to", () => {
    const listed = rowsOf(page).flatMap(([image = "", value = ""]) => (image.startsWith("`rune/") ? [[value, image]] : []));
    const referred = Object.entries(values.images as Record<string, { repository: string }>).map(([name, { repository }]) => [
      `\`images.${name}\``,
      `\`${repository}\``,
    ]);
    expect(listed.sort()).toEqual(referred.sort());
  });

  test("gives values that the chart accepts", () => {
    const examples = fences(page, "# values");
    const validate = new Ajv2020({ strict: false }).compile(schema);
    expect(examples.length).toBeGreaterThan(1);
    for (const example of examples) {
      validate(parse(example));
      expect(validate.errors ?? [], example).toEqual([]);
    }
  });

  test("configures another Distribution as the chart configures its own", () => {
    const [example = ""] = fences(page, "# configuration of Distribution");
    const own = rendered.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === "rune-registry").data["config.yml"];
    const { auth, storage } = parse(own);
    expect(parse(example)).toEqual({ auth, storage: { delete: storage.delete, redirect: { disable: true } } });
  });

  test("names the versions that are asked for and run", () => {
    const [, oldest] = />=(\d+\.\d+)/.exec(parse(read("charts/rune/Chart.yaml")).kubeVersion) ?? [];
    const [, kubernetes] = /k8s\.io\/kubernetes v(\d+\.\d+)/.exec(read("cluster/kube/go.mod")) ?? [];
    const [, containerd] = /containerd\/containerd\/v2 v(\d+\.\d+)/.exec(read("cluster/containerd/go.mod")) ?? [];
    const [, engine] = /^ARG BASE=(\S+)/m.exec(read("gpu-images/vllm/Containerfile")) ?? [];
    expect(page).toContain(`Kubernetes ${oldest} or newer`);
    expect(page).toContain(`Kubernetes ${kubernetes}, containerd ${containerd}`);
    expect(page).toContain(`\`${engine}\``);
  });
});

test("security.md explains only keys that the operator makes, and names every private one", async () => {
  const keys = Object.keys(await completeKeys({}));
  const named = rowsOf(read("docs/security.md")).flatMap(([entry = ""]) => /^`([\w-]+\.[a-z]+)`$/.exec(entry)?.[1] ?? []);
  expect(named.filter((entry) => !keys.includes(entry))).toEqual([]);
  expect(keys.filter((entry) => /\.(jwk|seed|secret|creds)$/.test(entry)).sort()).toEqual(named.sort());
});

describe("troubleshooting.md", () => {
  const file = "docs/troubleshooting.md";
  const reasons = links(read(file)).flatMap(({ name, target }) => (/^`[A-Z]\w+`$/.test(name) ? [{ name, target }] : []));

  test("names only reasons that stand on the page that they lead to", () => {
    expect(reasons.length).toBeGreaterThan(50);
    expect(reasons.filter(({ name, target }) => !read(join(dirname(file), target.split("#")[0] ?? "")).includes(name))).toEqual([]);
  });

  test("names only reasons that the code can give", () => {
    const sources = globSync(["{controllers,clients,crds,kopf-ts,operator,workloads}/**/*.ts", "gpu-images/trainer/src/**/*.py"], {
      cwd: root,
      exclude: (name) => name === "node_modules",
    }).filter((source) => !source.endsWith(".test.ts"));
    const words = new Set(sources.flatMap((source) => read(source).match(/\b[A-Z][A-Za-z]+\b/g) ?? []));
    expect(reasons.filter(({ name }) => !words.has(name.slice(1, -1)))).toEqual([]);
  });
});
