import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");

/** Each with the plain word for it; the list that people read is in CONTRIBUTING.md. */
const words = {
  "(?:is|are|was|were) away": "unavailable",
  anew: "again",
  whoever: "anyone who",
  shall: "must, should",
  "(?:end|ends|ended) well": "succeed",
  "for good": "permanently",
};

/** Files that this test or CONTRIBUTING.md's list is in, and those whose bytes are the key of something expensive that was made from them. */
const kept =
  /^(CONTRIBUTING\.md|docs\/words\.test\.ts|cluster\/kube\/|gpu-images\/models\/|examples\/10-minilang\/world\/|examples\/00-quickstart\/scenario\/|workloads\/sandbox\/adversary\/)|context\.py$/;

const files = execFileSync("git", ["ls-files", "-z", "--cached", "--others", "--exclude-standard"], { cwd: root, encoding: "utf8" })
  .split("\0")
  .filter((file) => /\.(ts|py|sh|md|ya?ml|tpl)$/.test(file) && !kept.test(file));

test.each(Object.entries(words))("nothing is written as /%s/ that is plainly said: %s", (word) => {
  const pattern = new RegExp(`\\b${word}\\b`, "i");
  const found = files.flatMap((file) =>
    readIfThere(file)
      .split("\n")
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}: ${line.trim().slice(0, 120)}`] : [])),
  );
  expect(files.length).toBeGreaterThan(500);
  expect(found).toEqual([]);
});

/** A file that git still lists may have been deleted. */
function readIfThere(file: string): string {
  try {
    return readFileSync(join(root, file), "utf8");
  } catch {
    return "";
  }
}
