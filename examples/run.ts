import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const nameOf = (folder: string) => folder.replace(/^\d+-/, "");
const scriptOf = (folder: string) => join(import.meta.dirname, folder, `${nameOf(folder)}.ts`);

/** `npm run example -- NAME [options]`: runs `NAME.ts` of the folder `NAME`, or `<number>-NAME`, with the options. */
const [name, ...options] = process.argv.slice(2);
const folders = (await readdir(import.meta.dirname)).filter((folder) => existsSync(scriptOf(folder))).sort();
const folder = folders.find((each) => nameOf(each) === name);
if (folder) {
  process.argv = [process.argv[0] ?? "node", scriptOf(folder), ...options];
  await import(pathToFileURL(scriptOf(folder)).href);
} else {
  console.error(`Which example? npm run example -- ${folders.map(nameOf).join(" | ")}`);
  process.exitCode = 1;
}
