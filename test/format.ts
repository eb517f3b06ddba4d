import { join } from "node:path";
import { settings } from "../cluster/settings.ts";
import { run } from "../cluster/shell.ts";
import { linters, sources } from "./linters.ts";
import { bin, toolEnvironment } from "./tools.ts";

/** `npm run format`: fixes what `npm run check` finds and tools can fix, in every language. */
const ruff = join(await linters(), "ruff");
const { go } = await sources();
const commands: [string, string[]][] = [
  [bin("biome"), ["check", "--write", "."]],
  [ruff, ["check", "--fix", "--exit-zero"]],
  [ruff, ["format"]],
  ["gofmt", ["-w", ...go]],
];
for (const [command, args] of commands) await run(command, args, { cwd: settings.root, env: toolEnvironment, onLine: console.log });
