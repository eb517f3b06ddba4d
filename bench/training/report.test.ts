import { expect, it } from "vitest";
import { lines, pictureOf, type Sample, summarize } from "./report.ts";
import { type CaseName, settingsFrom } from "./settings.ts";
import { verdictsOf } from "./thresholds.ts";

const { sizes } = settingsFrom(["--quick"]);
const sample = (round: number, side: string, seconds: number, peakMiB: number): Sample => ({
  ...{ round, case: "sftShared", side, seconds, cpuSeconds: 2 * seconds, tokens: 100, peakMiB, device: "cpu" },
});
const samples = [
  sample(1, "rune", 1, 10),
  sample(1, "trl", 3, 20),
  sample(2, "trl", 5, 22),
  sample(2, "rune", 2, 12),
  sample(3, "rune", 9, 11),
];

it("takes medians of each side and says how many times longer the other took", () => {
  const [summary, ...others] = summarize(samples, sizes);
  expect(others).toEqual([]);
  expect(summary).toMatchObject({ case: "sftShared", ratio: 2, cpuRatio: 2 });
  expect(summary?.sides.map(({ side, seconds, peakMiB }) => [side, seconds.median, peakMiB.median])).toEqual([
    ["rune", 2, 11],
    ["trl", 4, 21],
  ]);
  expect(summary?.sides[0]?.tokensPerSecond?.samples).toEqual([100, 50, 100 / 9]);
});

it("says a case that has only one side yet without a ratio", () => {
  expect(summarize(samples.slice(0, 1), sizes)[0]).not.toHaveProperty("ratio");
});

it("prints and draws every case that was measured", () => {
  const summaries = summarize(samples, sizes);
  expect(lines(summaries)).toContain("TRL         4.00 s");
  expect(pictureOf(summaries, "quick")).toContain("prompts that share their beginning");
});

it("refuses what can't be meant, in words", () => {
  expect(() => settingsFrom(["--only", "sft"])).toThrow("--only accepts sftShared");
  expect(() => settingsFrom(["--rounds", "0"])).toThrow("whole number of at least 1, not 0");
  expect(settingsFrom(["--quick", "--only", "mergeCat", "--rounds", "2"])).toMatchObject({ form: "quick", only: ["mergeCat"], rounds: 2 });
});

/** Verdicts where the other side takes `other` seconds and Rune 1, by case. */
const judged = (other: Partial<Record<CaseName, number>>, device = "cpu") =>
  verdictsOf(
    summarize(
      Object.entries(other).flatMap(([name, seconds]) => {
        const each = { ...sample(1, "rune", 1, 10), case: name as CaseName, device };
        return [each, { ...each, side: name === "generate" ? "forward" : "trl", seconds }];
      }),
      sizes,
    ),
  ).map(({ case: name, verdict }) => [name, verdict]);

it("judges sft by half again TRL's speed on CPUs, by its speed on GPUs", () => {
  const found = { sftShared: 1.5, sftUnlike: 1.49 };
  expect(judged(found)).toEqual([
    ["sftShared", "passed"],
    ["sftUnlike", "missed"],
  ]);
  expect(judged({ sftShared: 0.99, sftUnlike: 1 }, "cuda")).toEqual([
    ["sftShared", "missed"],
    ["sftUnlike", "passed"],
  ]);
});

it("judges generation by 1.2 times the encoder's forward pass, and says both figures", () => {
  expect(judged({ generate: 1 / 1.19 })).toEqual([["generate", "passed"]]);
  expect(judged({ generate: 1 / 1.21 })).toEqual([["generate", "missed"]]);
  const one = { ...sample(1, "rune", 1.5, 10), case: "generate" as const };
  const [verdict] = verdictsOf(summarize([one, { ...one, side: "forward", seconds: 1 }], sizes));
  expect(verdict?.words).toMatch(/at most 1\.2 × .*, measured 1\.50 ×$/);
});

it("judges nothing that only one side was measured of, and no case that nothing is promised of", () => {
  expect(verdictsOf(summarize(samples.slice(0, 1), sizes))).toEqual([]);
  const merge = { ...sample(1, "rune", 1, 10), case: "mergeCat" as const };
  expect(verdictsOf(summarize([merge, { ...merge, side: "peft", seconds: 0.1 }], sizes))).toEqual([]);
});
