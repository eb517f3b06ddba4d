import { join } from "node:path";
import { settings } from "../cluster/settings.ts";
import { attempt, type Result } from "../cluster/shell.ts";
import { linters, sources, vetted } from "./linters.ts";
import { bin, toolEnvironment } from "./tools.ts";

/**
 * `npm run check`: format, lint and types of every language, import rules, unused code, generated files. Nothing here
 * is a list of folders: each tool finds its files by their type, so new files are checked. Two at a time, the longest
 * first.
 */
interface Check {
  name: string;
  /** Rejects with the problems. */
  run(): Promise<void>;
}

const { folders, go, goModules, shell } = await sources();

const checks: Check[] = [
  program("TypeScript: types", bin("tsc"), ["-p", "tsconfig.json"]),
  program("TypeScript: imports", bin("depcruise"), ["--config", ".dependency-cruiser.cjs", ...folders]),
  program("TypeScript: unused code", bin("knip"), []),
  program("TypeScript: format and lint", bin("biome"), ["check", "--error-on-warnings", "."]),
  program("generated files", process.execPath, ["crds/generate/main.ts", "--check"]),
  wheel("Python: types", "pyrefly", ["check", "--summary=none", "--output-format=min-text"]),
  wheel("Python: lint", "ruff", ["check", "--color=never", "--output-format=concise"]),
  wheel("Python: format", "ruff", ["format", "--color=never", "--check"]),
  wheel("shell", "shellcheck", ["--format=gcc", ...shell]),
  program("Go: format", "gofmt", ["-l", ...go], ({ code, stdout }) => code === 0 && stdout === ""),
  ...goModules.map((module) => ({ name: `Go: vet in ${module}`, run: () => vetted(module, go) })),
];

function program(name: string, command: string, args: string[], isRight = ({ code }: Result) => code === 0): Check {
  return {
    name,
    async run() {
      const result = await attempt(command, args, { cwd: settings.root, env: toolEnvironment });
      if (!isRight(result)) throw new Error(`${result.stdout}${result.stderr}`.trim() || `exit status ${result.code}`);
    },
  };
}

/** A program of test/linters.txt. */
function wheel(name: string, tool: string, args: string[]): Check {
  return { name, run: async () => program(name, join(await linters(), tool), args).run() };
}

let failed = 0;
const waiting = [...checks];

async function work(): Promise<void> {
  for (let check = waiting.shift(); check; check = waiting.shift()) {
    const from = performance.now();
    const wrong = await check.run().then(
      () => undefined,
      (error: Error) => error.message,
    );
    console.log(`${wrong === undefined ? "ok    " : "FAILED"} ${check.name} (${((performance.now() - from) / 1000).toFixed(1)} s)`);
    if (wrong === undefined) continue;
    failed += 1;
    console.log(wrong.split("\n").slice(0, 200).join("\n"));
  }
}

await Promise.all([work(), work()]);
process.exitCode = failed === 0 ? 0 : 1;
