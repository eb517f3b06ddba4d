import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { settings } from "@rune/cluster/settings";

/** Runs an example as a command: `--help` shows its usage; an error is printed in one line, with exit status 1. */
export async function script(what: string, usage: string, work: (argv: readonly string[]) => Promise<void>): Promise<void> {
  try {
    if (process.argv.includes("--help")) console.log(usage);
    else await work(process.argv.slice(2));
  } catch (error) {
    console.error(`\n${what} stopped: ${(error as Error).message}`);
    process.exitCode = 1;
  }
}

/** Writes an example's results to `out/NAME.json`, and returns the text. */
export async function writeFigures(name: string, found: object): Promise<string> {
  const text = JSON.stringify(found, null, 2);
  await mkdir(settings.out, { recursive: true });
  await writeFile(join(settings.out, `${name}.json`), `${text}\n`);
  return text;
}

/** An option's whole number; `otherwise` if it isn't given. */
export function count(text: string | undefined, otherwise: number, name: string): number {
  if (text === undefined) return otherwise;
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new Error(`${name} needs a whole number of at least 1, not ${text}`);
  return number;
}
