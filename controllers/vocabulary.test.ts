import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { ConditionType } from "@rune/crds/words/conditions";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "..");
const sources = globSync(["{controllers,operator}/**/*.ts"], {
  cwd: root,
  exclude: (name) => name === "node_modules" || name === "testing",
})
  .filter((file) => !file.endsWith(".test.ts"))
  .map((file) => ({ file, text: readFileSync(join(root, file), "utf8") }));

/** Each line that a pattern is found in, with its file. */
const linesWith = (pattern: RegExp) =>
  sources.flatMap(({ file, text }) => text.split("\n").flatMap((line) => (pattern.test(line) ? [`${file}: ${line.trim()}`] : [])));

test("a condition's type is a word of crds/words/conditions.ts and no string of a controller's own", () => {
  expect(sources.length).toBeGreaterThan(100);
  const types = Object.keys(ConditionType).join("|");
  expect(linesWith(/\b(isTrue|isFalse|getCondition|conditionOf)\([^()]*, "/)).toEqual([]);
  expect(linesWith(new RegExp(`\\btype(: | === | = )"(${types}|PodScheduled|DisruptionTarget|Complete|Suspended)"`))).toEqual([]);
});

test("a reason that a controller gives is a word of a reasons.ts", () => {
  expect(linesWith(/\breason: "[A-Z]|\.event\("(Normal|Warning)", "/)).toEqual(kubernetesOwn);
});

/** What Kubernetes says, and a controller asks for. */
const kubernetesOwn = [expect.stringContaining('reason: "FailedCreate"')];

test("every reason is used, or is what another program says", () => {
  const files = sources.filter(({ file }) => file.endsWith("reasons.ts"));
  const unused = files.flatMap(({ file, text }) =>
    [...text.matchAll(/^ {2}(\w+): "\1",$/gm)].map(([, reason = ""]) => reason).filter((reason) => !isUsed(reason, file)),
  );
  expect(unused.sort()).toEqual(toldByPrograms.toSorted());
});

/** An agent's or an evaluator's own words, and an outcome that stands in status. */
const toldByPrograms = ["Aborted", "Exhausted", "Promoted", "Solved", "TasksSeen", "TestsUnusable", "TestsUnusable"];

/** Whether any source takes it from the very object that holds it. */
function isUsed(reason: string, file: string): boolean {
  const holder = /export const (\w+) = \{/.exec(sources.find((source) => source.file === file)?.text ?? "")?.[1];
  return sources.some(({ text }) => {
    const imported = new RegExp(`[{,]\\s*(?:type )?${holder}(?: as (\\w+))?[ ,}][^;]*reasons\\.ts"`).exec(text);
    return imported !== null && new RegExp(`\\b${imported[1] ?? holder}\\.${reason}\\b`).test(text);
  });
}
