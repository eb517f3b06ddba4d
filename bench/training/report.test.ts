import { expect, it } from "vitest";
import { lines, pictureOf, type Sample, summarize } from "./report.ts";
import { settingsFrom } from "./settings.ts";

const { sizes } = settingsFrom(["--quick"]);
const sample = (round: number, side: string, seconds: number, peakMiB: number): Sample => ({
  ...{ round, case: "sftShared", side, seconds, cpuSeconds: 2 * seconds, tokens: 100, peakMiB },
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
  expect(() => settingsFrom(["--only", "sft"])).toThrow("--only takes sftShared");
  expect(() => settingsFrom(["--rounds", "0"])).toThrow("whole number from 1, not 0");
  expect(settingsFrom(["--quick", "--only", "mergeCat", "--rounds", "2"])).toMatchObject({ form: "quick", only: ["mergeCat"], rounds: 2 });
});
