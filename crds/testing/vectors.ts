import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ZodType } from "zod";

/** Examples for the tests of both languages, `crds/vectors/<name>.json`: both must give the same results. */
export function vectors<T>(name: string, schema: ZodType<T>): T {
  return schema.parse(JSON.parse(readFileSync(join(import.meta.dirname, `../vectors/${name}.json`), "utf8")));
}
