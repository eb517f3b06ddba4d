import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import ts from "typescript";
import { describe, expect, test, vi } from "vitest";
import { referencePages } from "./reference.ts";
import { Metrics } from "./src/engine/metrics.ts";

/** The compiler's first check covers the whole package. */
vi.setConfig({ testTimeout: 180_000 });

const folder = import.meta.dirname;
const read = (file: string) => readFileSync(join(folder, file), "utf8");
const pages = [
  "README.md",
  ...readdirSync(join(folder, "docs"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/${name}`),
];
const entries = ["src/index.ts", "src/manifests/index.ts", "src/testing/index.ts"];
const guides = pages.filter((page) => !page.startsWith("docs/api"));

/** The names that a guide's blocks assume, as README.md introduces them. */
const prelude = `
import type { Client as AClient, DynamicObject, Manager as AManager, Operator as AnOperator, Resource } from "kopf-ts";
declare global {
  interface Widget extends DynamicObject { spec: { size: number } }
  const widgets: Resource<Widget>;
  const widget: Widget;
  const key: { namespace: string; name: string };
  const manager: AManager;
  const operator: AnOperator;
  const client: AClient;
}`;

const compilerOptions: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2024,
  lib: ["lib.es2024.d.ts", "lib.esnext.disposable.d.ts"],
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  strict: true,
  noUncheckedIndexedAccess: true,
  verbatimModuleSyntax: true,
  allowImportingTsExtensions: true,
  noEmit: true,
  skipLibCheck: true,
  types: ["node"],
};

/** Every TypeScript block as a separate module, beside its page. */
function blocks(): Map<string, string> {
  const found = new Map<string, string>();
  for (const page of pages) {
    for (const [index, text] of fencesOf(read(page), "ts").entries())
      found.set(join(folder, `${page}-${index + 1}.ts`), `${text}\nexport {};\n`);
  }
  return found;
}

function fencesOf(markdown: string, language: string): string[] {
  return [...markdown.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, "gms"))].map(([, text]) => text ?? "");
}

/** One program of all blocks: the package is parsed and checked once. */
function programOf(modules: ReadonlyMap<string, string>): ts.Program {
  const files = new Map([...modules, [join(folder, "docs/prelude.ts"), prelude]]);
  const host = ts.createCompilerHost(compilerOptions);
  const { fileExists, readFile } = host;
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.readFile = (file) => files.get(file) ?? readFile(file);
  host.getCurrentDirectory = () => folder;
  return ts.createProgram([...files.keys(), ...entries.map((entry) => join(folder, entry))], compilerOptions, host);
}

const modules = blocks();
const wrong = join(folder, "docs/wrong.ts");
const program = programOf(new Map([...modules, [wrong, 'import { ready } from "kopf-ts";\nready({}).aplying(widget);\n']]));

describe("the TypeScript of the documentation", () => {
  test("is there: on every guide but those without code, and in the reference", () => {
    const withCode = pages.filter((page) => [...modules.keys()].some((file) => file.startsWith(join(folder, `${page}-`))));
    expect(withCode).toEqual(
      expect.arrayContaining(["README.md", "docs/handlers.md", "docs/reconcilers.md", "docs/testing.md", "docs/api.md"]),
    );
  });

  test.each([...modules.keys()].map((file) => [file.slice(folder.length + 1), file]))("%s compiles", (_, file) => {
    const source = program.getSourceFile(file);
    const diagnostics = [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)];
    expect(diagnostics.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"))).toEqual([]);
  });

  test("a block that does not compile is found", () => {
    expect(program.getSemanticDiagnostics(program.getSourceFile(wrong)).map(({ code }) => code)).toEqual([2551]);
  });
});

test.each(entries)("every export of %s is in the documentation", (file) => {
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(join(folder, file));
  const symbol = source && checker.getSymbolAtLocation(source);
  const names = symbol ? checker.getExportsOfModule(symbol).map(({ name }) => name) : [];
  const words = new Set(pages.flatMap((page) => read(page).match(/\w+/g) ?? []));
  expect(names.length).toBeGreaterThan(8);
  expect(names.filter((name) => !words.has(name))).toEqual([]);
});

test("the reference is what the doc comments say; `npm run generate` makes it", async () => {
  for (const [path, text] of await referencePages()) expect(existsSync(join(folder, path)) && read(path) === text, path).toBe(true);
}, 300_000);

describe.each(pages)("%s", (page) => {
  test("has links that lead somewhere", () => {
    expect(linksOf(read(page)).filter((link) => !leads(page, link))).toEqual([]);
  });

  test("points nowhere outside this folder", () => {
    const outside = linksOf(read(page)).filter((link) => relative(folder, join(folder, dirname(page), link)).startsWith(".."));
    expect(outside).toEqual([]);
  });
});

test.each(guides)("%s restates no default", (page) => {
  expect(read(page).match(/\bdefaults? (?:is|are|to|of|value)\b|\bby default\b|\(default[: ]/gi) ?? []).toEqual([]);
});

test("the README fits on two screens beside its code", () => {
  expect(withoutCode(read("README.md")).split("\n").length).toBeLessThan(80);
});

test("docs/deploying.md names every metric, and none that is not there", async () => {
  const names = (await new Metrics().registry.getMetricsAsJSON()).map(({ name }) => name);
  const section = read("docs/deploying.md").match(/^## Metrics\n(.*?)^## /ms)?.[1] ?? "";
  const named = [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  expect(named.toSorted()).toEqual(names.toSorted());
});

test("docs/troubleshooting.md quotes messages that the sources have", () => {
  const sources = readdirSync(join(folder, "src"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"))
    .map((name) => read(join("src", name)))
    .join("\n");
  const quoted = [...read("docs/troubleshooting.md").matchAll(/^\| `([^`]+)` \|/gm)].map(([, text = ""]) => text);
  const pieces = quoted
    .flatMap((text) => text.split("…"))
    .map((piece) => piece.trim())
    .filter((piece) => piece !== "");
  expect(pieces.length).toBeGreaterThan(10);
  expect(pieces.filter((piece) => !sources.includes(piece))).toEqual([]);
});

function linksOf(markdown: string): string[] {
  const prose = withoutCode(markdown).replaceAll(/`[^`\n]*`/g, "code");
  return [...prose.matchAll(/\]\((?!https?:)([^)\s]+)\)/g)].map(([, link = ""]) => link);
}

function leads(page: string, link: string): boolean {
  const [path = "", anchor] = link.split("#");
  const target = path === "" ? page : join(dirname(page), path);
  if (!existsSync(join(folder, target))) return false;
  return anchor === undefined || anchorsOf(target).filter((other) => other === anchor).length === 1;
}

const anchors = new Map<string, readonly string[]>();

/** As GitHub makes them of headings. Repeated ones are numbered there: a link to such a heading is refused here. */
function anchorsOf(page: string): readonly string[] {
  const known = anchors.get(page);
  if (known) return known;
  const headings = [...withoutCode(read(page)).matchAll(/^#+ (.*)$/gm)].map(([, heading = ""]) => heading.toLowerCase());
  const found = headings.map((text) => text.replaceAll(/[^\p{L}\p{N}\s_-]/gu, "").replaceAll(" ", "-"));
  anchors.set(page, found);
  return found;
}

function withoutCode(markdown: string): string {
  return markdown.replaceAll(/^```.*?^```$/gms, "");
}
