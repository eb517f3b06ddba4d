import { vectors } from "@rune/crds/testing/vectors";
import { expect, test } from "vitest";
import { z } from "zod";
import { learntHash } from "./text-hash.ts";

test.each(vectors("learnt", z.array(z.object({ text: z.string(), hash: z.string() }))))(
  "the trainer, too, hashes $text to $hash",
  ({ text, hash }) => {
    expect(learntHash(text)).toBe(hash);
  },
);
