import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { ZodType } from "zod";

/** Examples that the tests of both languages read, `crds/vectors/<name>.json`: what one language makes of them the other must make too. */
export function vectors<T>(name: string, schema: ZodType<T>): T {
  return schema.parse(JSON.parse(readFileSync(join(import.meta.dirname, `../vectors/${name}.json`), "utf8")));
}
