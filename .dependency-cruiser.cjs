const { existsSync, readdirSync } = require("node:fs");
const { join } = require("node:path");
const { workspaces } = require("./package.json");

/** Who may import whom (design: data flows through the rooms in one direction), by the names of packages; "all" of what they exercise. */
const mayImport = {
  "kopf-ts": [],
  "@rune/crds": ["kopf-ts"],
  "@rune/clients": ["@rune/crds"],
  "@rune/controllers": ["@rune/crds", "@rune/clients", "kopf-ts"],
  "@rune/workloads-shared": ["@rune/crds", "@rune/clients"],
  "@rune/agent": ["@rune/crds", "@rune/clients", "@rune/workloads-shared"],
  "@rune/evaluator": ["@rune/crds", "@rune/clients", "@rune/workloads-shared"],
  "@rune/adapter-loader": ["@rune/crds", "@rune/clients"],
  "@rune/operator": "all",
  "@rune/cluster": "all",
};

/** The rooms are what package.json says. */
const folders = Object.fromEntries(workspaces.map((folder) => [require(`./${folder}/package.json`).name, folder]));
const rooms = Object.entries(folders).map(([name, folder]) => {
  const allowed = mayImport[name] ?? (folder.startsWith("examples/") ? "all" : undefined);
  if (!allowed) throw new Error(`${folder} is a room that .dependency-cruiser.cjs does not know: say there whom ${name} may import`);
  return { name, folder, path: `^${folder}/`, allowed };
});
for (const name of Object.keys(mayImport))
  if (!folders[name]) throw new Error(`.dependency-cruiser.cjs says whom ${name} may import, and there is no such package`);

/** Folders of a room, each of which may import those before it. */
const layers = {
  "kopf-ts/src": ["core", "api", "cache", "outcome", "engine", "handlers", "manifests", "testing"],
  controllers: ["shared", "evidence", "pods", "epochs"],
  crds: ["words", "fields", "kinds", "contracts", "generate", "testing"],
};

/** Folders beside the rooms, which nobody imports: tests of the whole, benchmarks, documents, the chart. */
const beside = readdirSync(".", { withFileTypes: true })
  .filter((each) => each.isDirectory() && !workspaces.some((folder) => folder === each.name || folder.startsWith(`${each.name}/`)))
  .map(({ name }) => `^${name.replaceAll(".", "\\.")}/`)
  .filter((path) => path !== "^node_modules/");

/** A folder of controllers that has a page in docs/kinds is a kind's; the others are for all kinds. */
const controllers = folders["@rune/controllers"];
const kinds = readdirSync(controllers).filter((name) => existsSync(join("docs/kinds", `${name.replaceAll("-", "")}.md`)));
if (kinds.length === 0) throw new Error(`${controllers} has no folder with a page in docs/kinds`);

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      severity: "error",
      comment: "a file can be read after those that it imports, types included",
      from: {},
      to: { circular: true },
    },
    {
      name: "no-unresolved",
      severity: "error",
      comment: "what can't be resolved is not installed or misspelt",
      from: {},
      to: { couldNotResolve: true },
    },
    ...rooms
      .filter(({ allowed }) => allowed !== "all")
      .map(({ name, path, allowed }) => ({
        name: `${name}-imports-only-its-neighbours`,
        severity: "error",
        from: { path, pathNot: "\\.test\\.ts$|/testing/" },
        to: {
          path: [...rooms.filter((other) => other.name !== name && !allowed.includes(other.name)).map((other) => other.path), ...beside],
        },
      })),
    {
      name: "of-crds-only-its-generator-imports-kopf-ts",
      severity: "error",
      comment: "every program imports crds",
      from: { path: `^${folders["@rune/crds"]}/`, pathNot: `\\.test\\.ts$|^${folders["@rune/crds"]}/(generate|testing)/` },
      to: { path: `^${folders["kopf-ts"]}/` },
    },
    {
      name: "kopf-ts-knows-no-rune",
      severity: "error",
      comment: "its tests neither: it is a package of its own",
      from: { path: `^${folders["kopf-ts"]}/` },
      to: { path: [...rooms.filter(({ name }) => name !== "kopf-ts").map(({ path }) => path), ...beside] },
    },
    ...rooms
      .filter(({ folder }) => !folder.startsWith("examples/"))
      .map(({ name, path }) => ({
        name: `${name}-meets-others-by-package-name`,
        severity: "error",
        comment: "a relative path into another room goes past what its package.json exports",
        from: { path },
        to: { pathNot: path, dependencyTypes: ["local"] },
      })),
    {
      name: "examples-meet-others-by-package-name",
      severity: "error",
      comment: "examples may reach into each other and nowhere else",
      from: { path: "^examples/" },
      to: { pathNot: "^examples/", dependencyTypes: ["local"] },
    },
    ...Object.entries(layers).flatMap(([room, inOrder]) =>
      inOrder.slice(0, -1).map((folder, place) => ({
        name: `${folder}-of-${room}-imports-no-folder-above-it`,
        severity: "error",
        from: { path: `^${room}/${folder}/`, pathNot: "\\.test\\.ts$" },
        to: { path: inOrder.slice(place + 1).map((above) => `^${room}/${above}/`) },
      })),
    ),
    ...kinds.map((kind) => ({
      name: `${kind}-does-not-import-a-sibling-kind`,
      severity: "error",
      comment: "kinds meet in the API",
      from: { path: `^${controllers}/${kind}/` },
      to: { path: kinds.filter((other) => other !== kind).map((other) => `^${controllers}/${other}/`) },
    })),
  ],
  options: {
    doNotFollow: { path: "node_modules|dist" },
    exclude: { path: "(^|/)(node_modules|dist|out)/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["import", "types", "node"],
      extensions: [".ts", ".js", ".mjs", ".json"],
    },
  },
};
