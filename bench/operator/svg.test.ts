import { expect, test } from "vitest";
import { picture } from "./svg.ts";

const spread = (min: number, median: number, max: number) => ({ min, median, max, samples: [min, median, max] });
const bars = [
  { label: "a", color: "#111111", spread: spread(90, 100, 120) },
  { label: "b", color: "#222222", spread: spread(45, 50, 60) },
  { label: "c", color: "#333333", spread: undefined },
];
const svg = picture("Speed <of> things & more", "today", bars, [
  { title: "first", panels: [{ title: "throughput", unit: "units/s", bars }] },
]);

test("what people wrote cannot break the picture", () => {
  expect(svg).toContain("Speed &lt;of&gt; things &amp; more");
  expect(svg).not.toContain("<of>");
});

test("bars are as long as their medians, with a line from least to most", () => {
  const lengths = [...svg.matchAll(/<rect[^>]* width="([\d.]+)" height="13" rx="2" fill="(#\w+)"/g)]
    .filter(([, length]) => length !== "13")
    .map(([, length, color]) => [color, Number(length)] as const);
  expect(lengths.map(([color]) => color)).toEqual(["#111111", "#222222"]);
  expect((lengths[0]?.[1] ?? 0) / (lengths[1]?.[1] ?? 1)).toBeCloseTo(2, 1);
  expect(svg.match(/<line /g)).toHaveLength(2);
});

test("what was not measured is said in words, and no number is missing from the drawing", () => {
  expect(svg).toContain("c: not measured");
  expect(svg).not.toMatch(/NaN|undefined|Infinity/);
});
