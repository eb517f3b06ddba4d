import { readFile } from "node:fs/promises";
import type { Services } from "@rune/controllers/shared/services";
import { taskSet } from "@rune/crds/contracts/task-set";

/** The bundled task sets, `<name>.json` beside the program, which the image's build adds; each is read once, and again after a read that failed. */
export function bundledTaskSets(directory = new URL("./task-sets/", import.meta.url)): Services["bundledTaskSet"] {
  const read = new Map<string, ReturnType<Services["bundledTaskSet"]>>();
  return (name) => {
    const known = read.get(name) ?? readTaskSet(new URL(`${name}.json`, directory));
    read.set(name, known);
    known.catch(() => read.delete(name));
    return known;
  };
}

async function readTaskSet(file: URL): ReturnType<Services["bundledTaskSet"]> {
  const text = await readFile(file, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  return text === undefined ? undefined : taskSet.parse(JSON.parse(text));
}
