/** Who may import whom (design: data flows through the rooms in one direction). `from` a room, only the named rooms `to`. */
const rooms = {
  crds: [],
  "kopf-ts": [],
  clients: ["crds"],
  controllers: ["crds", "clients", "kopf-ts"],
  "workloads/agent": ["crds", "clients"],
  "workloads/evaluator": ["crds", "clients"],
  "workloads/adapter-loader": ["crds", "clients"],
};
const every = [...Object.keys(rooms), "operator", "cluster", "examples", "test", "bench"];
/** Folders of a room, each of which may import those before it. */
const layers = {
  "kopf-ts/src": ["core", "api", "cache", "outcome", "engine", "handlers", "testing"],
  controllers: ["shared", "evidence", "pods", "epochs"],
  crds: ["words", "fields", "kinds", "contracts", "generate", "testing"],
};
const kinds = ["adapter", "model-server", "training-run", "agent-session", "evaluation", "environment-check", "evolution-generation"];

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      severity: "error",
      comment: "types may know each other; code may not",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    {
      name: "no-orphans-of-types",
      severity: "error",
      comment: "what can't be resolved is not installed or misspelt",
      from: {},
      to: { couldNotResolve: true },
    },
    ...Object.entries(rooms).map(([room, allowed]) => ({
      name: `${room}-imports-only-its-neighbours`,
      severity: "error",
      from: { path: `^${room}/`, pathNot: "\\.test\\.ts$|/testing/" },
      to: {
        path: every.filter((other) => other !== room && !allowed.includes(other)).map((other) => `^${other}/`),
      },
    })),
    {
      name: "rooms-meet-by-package-name",
      severity: "error",
      comment: "a relative path into another room goes past what its package.json exports",
      from: { path: "^(kopf-ts|operator|crds|clients|controllers|cluster|examples|workloads/[^/]+)/" },
      to: { pathNot: "^$1/", dependencyTypes: ["local"] },
    },
    ...kinds.map((kind) => ({
      name: `${kind}-does-not-import-a-sibling-kind`,
      severity: "error",
      comment: "kinds meet in the API",
      from: { path: `^controllers/${kind}/` },
      to: { path: kinds.filter((other) => other !== kind).map((other) => `^controllers/${other}/`) },
    })),
    ...Object.entries(layers).flatMap(([room, folders]) =>
      folders.slice(0, -1).map((folder, place) => ({
        name: `${folder}-of-${room}-imports-no-folder-above-it`,
        severity: "error",
        from: { path: `^${room}/${folder}/`, pathNot: "\\.test\\.ts$" },
        to: { path: folders.slice(place + 1).map((above) => `^${room}/${above}/`) },
      })),
    ),
    {
      name: "kopf-ts-knows-no-rune",
      severity: "error",
      from: { path: "^kopf-ts/" },
      to: { path: "^(crds|clients|controllers|workloads|cluster|examples|operator)/" },
    },
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
