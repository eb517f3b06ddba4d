import { existsSync, globSync, readFileSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { methodNames } from "@rune/crds/kinds/methods";
import { Ajv, type ValidateFunction } from "ajv";
import addFormats from "ajv-formats";
import { describe, expect, test } from "vitest";
import { parse, parseAllDocuments, stringify } from "yaml";
import { build, folderOf } from "../examples/plan/kustomize.ts";
import { namespaces, type Overlay } from "../examples/plan/options.ts";
import { copyOfPlan } from "../examples/plan/testing.ts";

const root = join(import.meta.dirname, "..");
const read = (file: string) => readFileSync(join(root, file), "utf8");
const find = (...patterns: string[]) => globSync(patterns, { cwd: root, exclude: (name) => leftOut.has(name) }).sort();
const leftOut = new Set(["node_modules", "out", "dist", ".git"]);

const documents = find("**/*.md");
const readers = documents.filter((file) => !file.includes("/") || file.startsWith("docs/"));

/** What `kubectl apply -k` makes of the plan and its overlays. */
async function builtPlans(): Promise<[string, string][]> {
  await using copy = await copyOfPlan();
  const overlays = Object.keys(namespaces) as Overlay[];
  const text = async (overlay: Overlay) => (await build(folderOf(overlay, copy.root))).map((each) => stringify(each)).join("---\n");
  return await Promise.all(overlays.map(async (overlay): Promise<[string, string]> => [`the plan, ${overlay}`, await text(overlay)]));
}

/** Every manifest that a person could copy: fenced YAML of the documents, the YAML of the examples, and what kustomize makes of it. */
const texts = [
  ...readers.flatMap((file) => fencesOf(read(file), "yaml").map((text, index) => [`${file}, block ${index + 1}`, text] as const)),
  ...find("examples/**/*.yaml").map((file) => [file, read(file)] as const),
  ...(await builtPlans()),
];

describe.each(texts)("%s", (_, text) => {
  const parsed = parseAllDocuments(text, { uniqueKeys: true });

  test("is YAML", () => {
    expect(parsed.flatMap(({ errors }) => errors.map(({ message }) => message))).toEqual([]);
  });

  test("agrees with the schemas of Rune's kinds, without a field that they don't know", () => {
    const manifests = parsed.map((document) => document.toJS() as Manifest | null).filter((manifest) => isOurs(manifest));
    expect(manifests.flatMap((manifest) => complaints(manifest as Manifest))).toEqual([]);
  });
});

test("there are manifests to check, at least one of each kind", () => {
  const kinds = texts.flatMap(([, text]) => parseAllDocuments(text).map((document) => (document.toJS() as Manifest | null)?.kind));
  expect([...validators.keys()].filter((kind) => !kinds.includes(kind))).toEqual([]);
});

test.each(documents)("the links of %s lead somewhere", (file) => {
  expect(linksOf(read(file)).filter((link) => !leads(file, link))).toEqual([]);
});

test.each(documents)("the npm commands of %s exist", (file) => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const code = (read(file).match(/^```.*?^```$|`[^`\n]+`/gms) ?? []).join("\n");
  const named = [...code.matchAll(/\bnpm (?:run (?:--silent )?)?([a-z][\w:-]*)/g)].map(([, name = ""]) => name);
  const ofNpm = ["init", "pkg", "install", "ci", "pack", "publish"];
  expect(named.filter((name) => !(name in scripts) && !ofNpm.includes(name))).toEqual([]);
});

test("the guides restate no default: docs/api is generated, and right", () => {
  const guides = readers.filter((file) => !file.startsWith("docs/api/") && !file.startsWith("docs/adr/"));
  expect(guides.filter((file) => /\bdefaults? (?:is|are|to|of|value)\b|\bby default\b|\(default[: ]/i.test(read(file)))).toEqual([]);
});

test("the README fits one screen", () => {
  expect(read("README.md").split("\n").length).toBeLessThan(75);
});

describe.each(Object.entries(pagesOfReasons()))("%s", (page, files) => {
  const codes = files.flatMap((file) => [...read(file).matchAll(/^ {2}([A-Z]\w+): "\1",$/gm)].map(([, reason]) => reason ?? ""));

  test("explains every reason that the code can give", () => {
    const text = guides(page);
    expect(codes.length).toBeGreaterThan(0);
    expect(codes.filter((reason) => !text.includes(`\`${reason}\``))).toEqual([]);
  });
});

test("the guides name no reason that the code can't give", () => {
  const sources = find("{controllers,clients,crds,operator,workloads}/**/*.ts", "gpu-images/trainer/src/**/*.py").filter(
    (file) => !file.endsWith(".test.ts"),
  );
  const words = new Set(sources.flatMap((file) => read(file).match(/\b[A-Z][A-Za-z]+\b/g) ?? []));
  const named = readers
    .filter((file) => /^docs\/(kinds|methods)\//.test(file) || file === "docs/README.md")
    .flatMap((file) => [...read(file).matchAll(/^\| ((?:`[A-Z]\w+`(?:, )?)+) \|/gm)].flatMap(([, cell = ""]) => cell.match(/\w+/g) ?? []));
  expect(named.length).toBeGreaterThan(50);
  expect(named.filter((reason) => !words.has(reason))).toEqual([]);
});

describe.each(methodNames)("the page of the method %s", (method) => {
  const page = read(`docs/methods/${method}.md`);

  test("shows a run of it, and has a section for writing, reading and debugging", () => {
    const runs = fencesOf(page, "yaml").map((text) => parse(text) as Manifest);
    expect(runs.filter(({ kind, spec }) => kind === "TrainingRun" && spec && method in spec)).toHaveLength(1);
    expect([...anchorsOf(`docs/methods/${method}.md`)]).toEqual([method, "writing-the-spec", "reading-its-status", "debugging"]);
  });

  test("is found from the kind's page and from the list of guides", () => {
    expect(linksOf(read("docs/kinds/trainingrun.md"))).toContain(`../methods/${method}.md`);
    expect(linksOf(read("docs/README.md"))).toContain(`methods/${method}.md`);
  });
});

interface Manifest {
  apiVersion?: string;
  kind?: string;
  metadata?: { name?: string };
  spec?: { artifact?: { digest?: string } };
}

function isOurs(manifest: Manifest | null): boolean {
  return manifest?.apiVersion?.startsWith("rune.dev/") ?? false;
}

/** What the API server would say: an unknown field, a wrong value, a name that isn't the digest's. */
function complaints(manifest: Manifest): string[] {
  const validate = validators.get(manifest.kind ?? "");
  if (!validate) return [`there is no kind ${manifest.kind}`];
  validate(manifest);
  const digest = manifest.kind === "Adapter" ? manifest.spec?.artifact?.digest : undefined;
  const misnamed = digest && !manifest.metadata?.name?.endsWith(`-${digest.slice(7, 23)}`);
  return [
    ...(validate.errors ?? []).map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`),
    ...(misnamed ? [`${manifest.metadata?.name} doesn't end in its digest`] : []),
  ];
}

/** The generated schemas, by kind; closed, because the API server drops unknown fields where a reader would be misled. */
const validators = new Map<string, ValidateFunction>(
  find("crds/generated/*.yaml").map((file) => {
    const { spec } = parse(read(file)) as { spec: { names: { kind: string }; versions: { schema: { openAPIV3Schema: Schema } }[] } };
    const ajv = new Ajv({ strict: false, allErrors: true });
    addFormats.default(ajv);
    const schema = closed(spec.versions[0]?.schema.openAPIV3Schema ?? {});
    return [spec.names.kind, ajv.compile({ ...schema, properties: { ...schema.properties, metadata: {} } })];
  }),
);

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: boolean | Schema;
  [keyword: string]: unknown;
}

function closed(schema: Schema): Schema {
  const properties =
    schema.properties && Object.fromEntries(Object.entries(schema.properties).map(([name, property]) => [name, closed(property)]));
  return {
    ...schema,
    ...(properties && { properties, additionalProperties: false }),
    ...(schema.items && { items: closed(schema.items) }),
  };
}

function fencesOf(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text]) => text ?? "");
}

/** Targets of Markdown links, without those in code. */
function linksOf(markdown: string): string[] {
  const prose = markdown.replaceAll(/^```.*?^```$/gms, "").replaceAll(/`[^`\n]*`/g, "code");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target ?? "");
}

function leads(from: string, link: string): boolean {
  if (/^https?:\/\//.test(link)) return true;
  const [path = "", anchor] = link.split("#");
  const target = path ? relative(root, join(root, dirname(from), path)) : from;
  if (!existsSync(join(root, target))) return false;
  return !anchor || (statSync(join(root, target)).isFile() && anchorsOf(target).has(anchor));
}

const anchors = new Map<string, ReadonlySet<string>>();

function anchorsOf(page: string): ReadonlySet<string> {
  const known = anchors.get(page) ?? new Set([...read(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading)));
  anchors.set(page, known);
  return known;
}

function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(" ", "-");
}

/** Which files' reasons each page has to explain; the shared ones may stand on any. */
function pagesOfReasons(): Record<string, string[]> {
  return {
    "docs/kinds/agentsession.md": ["controllers/agent-session/reasons.ts"],
    "docs/kinds/environmentcheck.md": ["controllers/environment-check/reasons.ts"],
    "docs/kinds/evolutiongeneration.md": ["controllers/evolution-generation/reasons.ts"],
    "docs/kinds/evaluation.md": ["controllers/evaluation/reasons.ts"],
    "docs/kinds/trainingrun.md": ["controllers/training-run/reasons.ts"],
    "docs/kinds": ["controllers/shared/reasons.ts", "crds/words/trainer-reasons.ts"],
  };
}

function guides(page: string): string {
  return page === "docs/kinds" ? readers.map(read).join("\n") : read(page);
}
