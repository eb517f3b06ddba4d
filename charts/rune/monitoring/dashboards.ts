import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { modelOf } from "./dashboard.ts";
import { learning } from "./learning.ts";
import { operator } from "./operator.ts";
import { serving } from "./serving.ts";

/** The chart's dashboards, by file name. */
export const dashboards = { operator, serving, learning };
export const directory = join(import.meta.dirname, "generated");

/** The text of each file. */
export function rendered(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(dashboards).map(([name, dashboard]) => [`${name}.json`, `${JSON.stringify(modelOf(dashboard), null, 1)}\n`]),
  );
}

/** Files that differ from this program's output. */
export function stale(): string[] {
  return Object.entries(rendered()).flatMap(([file, text]) => (textOf(file) === text ? [] : [file]));
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(join(directory, file), "utf8");
  } catch {
    return undefined;
  }
}

if (import.meta.main) {
  mkdirSync(directory, { recursive: true });
  for (const [file, text] of Object.entries(rendered())) writeFileSync(join(directory, file), text);
}
