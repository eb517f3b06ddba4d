import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parseJSON } from "@rune/clients/http/json";
import { digest } from "@rune/crds/fields/field";
import { z } from "zod";
import { baseShapes } from "../base-shapes.ts";

const marker = z.object({
  schema: z.literal("rune.dev/staged-model/v1"),
  name: z.string(),
  digest: digest(),
  /** where the model came from, so that another model isn't taken for it */
  source: z.string(),
  /** shapes of the layers, so that the loader needs no other volume to check adapters */
  shapes: baseShapes,
});
export type Marker = z.infer<typeof marker>;

const file = ".rune-staged";

/**
 * What a completely staged directory says of itself; undefined while it is incomplete. After a power failure the file
 * can be empty.
 */
export async function readMarker(directory: string): Promise<Marker | undefined> {
  const parsed = marker.safeParse(parseJSON(await readFile(join(directory, file)).catch(() => undefined)));
  return parsed.success ? parsed.data : undefined;
}

/** Written last, atomically. */
export async function writeMarker(directory: string, value: Marker): Promise<void> {
  const draft = join(directory, `${file}.new`);
  await writeFile(draft, JSON.stringify(value), { flush: true });
  await rename(draft, join(directory, file));
}
