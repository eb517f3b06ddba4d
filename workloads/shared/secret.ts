import { readFile } from "node:fs/promises";

/** The token in a mounted file. */
export async function secretAt(path: string): Promise<string> {
  return (await readFile(path, "utf8")).trim();
}
