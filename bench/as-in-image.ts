import { readFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { bundleFile } from "@rune/cluster/bundle";
import { settings } from "@rune/cluster/settings";

/** The command that runs an operator as the operator's image would: bundled, with the image's options of Node. */
export async function asInImage(program: string): Promise<string[]> {
  const containerfile = await readFile(join(settings.root, "operator/Containerfile"), "utf8");
  const entrypoint: string[] = JSON.parse(/^ENTRYPOINT (.*)$/m.exec(containerfile)?.[1] ?? "");
  const from = relative(settings.root, program);
  return [process.execPath, ...entrypoint.slice(1, -1), await bundleFile(from, join("out/bench/bundles", from))];
}
