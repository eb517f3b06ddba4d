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
  { file: "api-testing.md", entry: "testing/index.ts", title: "API reference: `kopf-ts/testing`" },
];

/** What most programs use comes first; the rest follows by name. */
const firstModules = ["manager", "controller", "reconciler", "outcome", "operator", "handlers", "declarations", "context", "client"];
const chapterOf = (module: string) => `Module ${module}`;

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
 * @throws Error that lists what TypeDoc complains of: an export without a doc comment, a link that leads nowhere.
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
    validation: { notExported: false, invalidLink: true, notDocumented: true },
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

/** The module that declares an export is the chapter in which it stands. */
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
    for (const [index, module] of (project.children ?? []).entries()) module.name = pages[index]?.file.replace(/\.md$/, "") ?? module.name;
    app.options.setValue("outputs", [{ name: "markdown", path: out }]);
    await app.generateOutputs(project);
    return new Map(pages.map(({ file, title }) => [`docs/${file}`, withHead(readFileSync(join(out, file), "utf8"), title)]));
  } finally {
    rmSync(out, { recursive: true });
  }
}

function withHead(text: string, title: string): string {
  const head = `<!-- Generated from the doc comments in src by reference.ts: change them, then run it. -->\n\n# ${title}\n`;
  return text.replace(/^# .*\n/, head).replaceAll(/\n{3,}/g, "\n\n");
}

if (import.meta.main) {
  for (const [path, text] of await referencePages()) writeFileSync(join(folder, path), text);
}
