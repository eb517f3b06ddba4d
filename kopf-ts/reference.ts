import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import {
  Application,
  Comment,
  CommentTag,
  type Context,
  Converter,
  type DeclarationReflection,
  LogLevel,
  type ProjectReflection,
} from "typedoc";
import type { PluginOptions } from "typedoc-plugin-markdown";

/**
 * The API reference, made by TypeDoc from the doc comments: a page for each entry of the package, in chapters by module.
 * `node reference.ts` writes the pages; docs.test.ts compares them.
 */
const folder = import.meta.dirname;
const source = join(folder, "src");

interface Page {
  /** Within `docs`. */
  readonly file: string;
  readonly entry: string;
  readonly title: string;
}

const pages: readonly Page[] = [
  { file: "api.md", entry: "index.ts", title: "API reference: `kopf-ts`" },
  { file: "api-manifests.md", entry: "manifests/index.ts", title: "API reference: `kopf-ts/manifests`" },
  { file: "api-testing.md", entry: "testing/index.ts", title: "API reference: `kopf-ts/testing`" },
];

/** The modules that most programs use come first; the rest is sorted by name. */
const firstModules = [
  "manager",
  "controller-builder",
  "controller",
  "reconciler",
  "outcome",
  "operator",
  "handlers",
  "declarations",
  "context",
  "client",
];
/** Modules whose exports are in the chapter of the module that they belong to. */
const partOf: Readonly<Record<string, string>> = {
  "manager-options": "manager",
  "runnable-group": "manager",
  subresource: "client",
  request: "transport",
};
const chapterOf = (module: string) => `Module ${partOf[module] ?? module}`;

const layout: Partial<PluginOptions> = {
  hidePageHeader: true,
  hideBreadcrumbs: true,
  hideGroupHeadings: true,
  parametersFormat: "table",
  interfacePropertiesFormat: "table",
  classPropertiesFormat: "table",
  typeAliasPropertiesFormat: "table",
  propertyMembersFormat: "table",
  typeDeclarationFormat: "table",
  typeDeclarationVisibility: "compact",
  tableColumnSettings: { hideSources: true, hideInherited: true, hideOverrides: true, hideDefaults: true, hideModifiers: true },
};

/**
 * The pages, by their path in this folder.
 * @throws Error that lists TypeDoc's complaints: an export without a doc comment, a broken link.
 */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const app = await Application.bootstrapWithPlugins({
    entryPoints: pages.map(({ entry }) => join(source, entry)),
    tsconfig: join(folder, "tsconfig.build.json"),
    plugin: ["typedoc-plugin-markdown"],
    router: "module",
    logLevel: LogLevel.None,
    readme: "none",
    disableSources: true,
    excludePrivate: true,
    excludeInternal: true,
    excludeExternals: true,
    sort: ["source-order"],
    categorizeByGroup: false,
    categoryOrder: [...firstModules.map(chapterOf), "*"],
    validation: { notExported: true, invalidLink: true, notDocumented: true },
    // Parts of how types are computed: of no use by themselves.
    intentionallyNotExported: ["IsAny", "Written", "Part", "Frozen", "RootPaths"],
    requiredToBeDocumented: ["Class", "Interface", "Function", "TypeAlias", "Variable"],
    ...layout,
  });
  const complaints: string[] = [];
  app.logger.log = (message, level) => void (level >= LogLevel.Warn && complaints.push(message));
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, ({ project }: Context) => {
    for (const reflection of (project.children ?? []).flatMap(({ children = [] }) => children)) {
      if (!isDocumented(reflection)) complaints.push(`${reflection.name} has no doc comment`);
      fileUnderModule(reflection);
    }
  });
  const project = await app.convert();
  if (project) app.validate(project);
  if (!project || complaints.length > 0) throw new Error(`the API reference can't be made:\n${complaints.join("\n")}`);
  return await rendered(app, project);
}

function isDocumented(reflection: DeclarationReflection): boolean {
  return reflection.signatures ? reflection.signatures.every((signature) => signature.hasComment()) : reflection.hasComment();
}

/** An export's chapter is the module that declares it, or the one which that belongs to. */
function fileUnderModule(reflection: DeclarationReflection): void {
  const file = reflection.project.getSymbolIdFromReflection(reflection)?.fileName;
  if (!file) return;
  const text = chapterOf(basename(file, ".ts"));
  reflection.comment ??= new Comment();
  reflection.comment.blockTags.push(new CommentTag("@category", [{ kind: "text", text }]));
}

async function rendered(app: Application, project: ProjectReflection): Promise<ReadonlyMap<string, string>> {
  const out = mkdtempSync(join(tmpdir(), "kopf-ts-reference-"));
  try {
    app.options.setValue("outputs", [{ name: "markdown", path: out }]);
    await app.generateOutputs(project);
    const modules = (project.children ?? []).map(({ name }) => readFileSync(join(out, `${name}.md`), "utf8"));
    const titled = pages.map(({ title }, index) => withUniqueHeadings(withHead(modules[index] ?? "", title)));
    const places = new Map(
      titled.flatMap(({ anchors }, index) => [...anchors].map(([name, anchor]) => [name, { anchor, file: pages[index]?.file }])),
    );
    return new Map(pages.map(({ file }, index) => [`docs/${file}`, withLinks(titled[index]?.text ?? "", file, places)]));
  } finally {
    rmSync(out, { recursive: true });
  }
}

function withHead(text: string, title: string): string {
  const head = `<!-- Generated from the doc comments in src by reference.ts: change them, then run it. -->\n\n# ${title}\n`;
  const repeated = /^###### (?:Returns|Overrides)\n\n[^\n]+\n(?=\n(?:#|\*\*\*))/gm;
  return text
    .replace(/^# .*\n/, head)
    .replaceAll(/<a id="[^"]*"><\/a> /g, "")
    .replaceAll(repeated, "")
    .replaceAll(/\n{3,}/g, "\n\n")
    .trimEnd()
    .concat("\n");
}

const partsWithMembers = ["Constructors", "Properties", "Accessors", "Methods"];

/**
 * Headings of members include the name of their parent, so that every heading has one anchor, whichever program makes
 * the anchors.
 */
function withUniqueHeadings(text: string): { text: string; anchors: ReadonlyMap<string, string> } {
  const anchors = new Map<string, string>();
  const taken = new Set<string>();
  let [owner, part] = ["", ""];
  const lines = text.split("\n").map((line) => {
    const [, marks = "", words = ""] = line.match(/^(#{3,5}) (.*)$/) ?? [];
    if (marks === "####") part = words;
    if (marks === "#####" && partsWithMembers.includes(part))
      return `##### ${words === "Constructor" ? `new ${owner}()` : `${owner}.${words}`}`;
    if (marks !== "###") return line;
    owner = words.replace("()", "");
    const heading = taken.has(anchorOf(words)) ? `${words} (function)` : words;
    taken.add(anchorOf(heading));
    anchors.set(owner, anchorOf(heading));
    return `### ${heading}`;
  });
  return { text: lines.join("\n"), anchors };
}

function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\w\s-]/g, "")
    .replaceAll(" ", "-");
}

/** A link goes to the export of that name; other names become plain text. */
function withLinks(text: string, from: string, places: ReadonlyMap<string, { anchor: string; file: string | undefined }>): string {
  return text.replaceAll(/\[`([^`\]]+)`\]\([^)]*#[^)]*\)/g, (_, name: string) => {
    const place = places.get(name);
    if (!place) return `\`${name}\``;
    return `[\`${name}\`](${place.file === from ? "" : place.file}#${place.anchor})`;
  });
}

if (import.meta.main) {
  for (const [path, text] of await referencePages()) writeFileSync(join(folder, path), text);
}
