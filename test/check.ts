import { settings } from "../cluster/settings.ts";
import { attempt } from "../cluster/shell.ts";
import { bin, toolEnvironment } from "./tools.ts";

/** `npm run check`: format and lint, types, import rules, unused code, generated files. */
const rooms = [
  "kopf-ts",
  "operator",
  "crds",
  "clients",
  "controllers",
  "workloads",
  "cluster",
  "examples",
  "test",
  "docs",
  "charts",
  "bench",
];

const checks: [string, string, string[]][] = [
  ["format and lint", bin("biome"), ["check", "--error-on-warnings", "."]],
  ["types", bin("tsc"), ["-p", "tsconfig.json"]],
  ["import rules", bin("depcruise"), ["--config", ".dependency-cruiser.cjs", ...rooms]],
  ["unused code", bin("knip"), []],
  ["generated files", process.execPath, ["crds/generate/main.ts", "--check"]],
];

let failed = 0;
for (const [name, program, args] of checks) {
  const { code, stdout, stderr } = await attempt(program, args, {
    cwd: settings.root,
    env: toolEnvironment,
  });
  console.log(`${code === 0 ? "ok    " : "FAILED"} ${name}`);
  if (code === 0) continue;
  failed += 1;
  console.log(`${stdout}${stderr}`.trim().split("\n").slice(0, 200).join("\n"));
}
process.exitCode = failed === 0 ? 0 : 1;
