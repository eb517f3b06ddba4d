import fc from "fast-check";
import { expect, test } from "vitest";
import { LineSplitter } from "./line-splitter.ts";

test("lines survive every way of cutting their bytes", () => {
  const text = fc.array(
    fc.string({ unit: "grapheme", minLength: 1 }).map((line) => line.replaceAll("\n", " ")),
    { minLength: 1 },
  );
  fc.assert(
    fc.property(text, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (lines, sizes) => {
      const bytes = Buffer.from(`${lines.join("\n")}\n`);
      const splitter = new LineSplitter();
      const got: string[] = [];
      for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
        const size = sizes[turn % sizes.length] ?? 1;
        got.push(...splitter.push(bytes.subarray(at, at + size)));
        at += size;
      }
      expect(got).toEqual(lines);
    }),
  );
});
