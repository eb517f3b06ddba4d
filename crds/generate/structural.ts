import { type Structural, structural as structuralOf, walk } from "kopf-ts/manifests";
import type { z } from "zod";

/**
 * The structural schema of a zod schema, for kinds of this repository: no floats, nothing nullable, nothing unknown and no
 * two types in one field, as the API conventions ask. Throws with the path of what is one of these, or can't be said at all.
 */
export function structural(schema: z.ZodType): Structural {
  const whole = structuralOf(schema);
  walk(whole, (path, { type, nullable }) => {
    const wrong = type === undefined ? "a value of any type" : type === "number" ? "a float" : nullable ? "null" : undefined;
    if (wrong) throw new Error(`${path || "the root"}: a field of ours doesn't hold ${wrong}`);
  });
  return whole;
}
