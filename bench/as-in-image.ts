import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bundleFile } from "@rune/cluster/bundle";
import { settings } from "@rune/cluster/settings";

/** The command that runs a program of the repository as the operator's image would: bundled, with its options of Node. */
export async function asInImage(program: string): Promise<string[]> {
  const containerfile = await readFile(join(settings.root, "operator/Containerfile"), "utf8");
  const entrypoint: string[] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(containerfile)?.[1] ?? "");
  return [process.execPath, ...entrypoint.slice(1, -1), await bundleFile(program, join("out/bench/bundles", program))];
}
