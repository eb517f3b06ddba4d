import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** `npm run example -- NAME [options]`: runs `examples/<number>-NAME/NAME.ts` with the options. */
const [name, ...options] = process.argv.slice(2);
const folders = (await readdir(import.meta.dirname)).filter((folder) => /^\d+-/.test(folder)).sort();
const names = folders.map((folder) => folder.replace(/^\d+-/, ""));
const folder = folders[names.indexOf(name ?? "")];
if (folder) {
  const script = join(import.meta.dirname, folder, `${name}.ts`);
  process.argv = [process.argv[0] ?? "node", script, ...options];
  await import(pathToFileURL(script).href);
} else {
  console.error(`Which example? npm run example -- ${names.join(" | ")}`);
  process.exitCode = 1;
}
