import { expect, test } from "vitest";
import { full } from "./settings.ts";
import type { Summary } from "./summary.ts";
import { layOut, requestsText, short, tables } from "./table.ts";

const spread = (...samples: number[]) => ({ median: samples[0] as number, min: Math.min(...samples), max: Math.max(...samples), samples });

test("columns line up: words to the left, numbers to the right", () => {
  expect(
    layOut([
      ["", "units/s"],
      ["kopf-ts", "9"],
      ["kopf", "1,000"],
    ]),
  ).toBe("         units/s\nkopf-ts        9\nkopf       1,000");
});

test("numbers have three significant digits and no exponent", () => {
  expect([0.01234, 1.5, 12.345, 1234.5, Number.NaN].map(short)).toEqual(["0.0123", "1.5", "12.3", "1,235", "–"]);
});

test("every operator is compared with controller-runtime, and unfinished work is said", () => {
  const summaries: Summary[] = [
    summary("kopf-ts", 100, { unitsPerSecond: spread(150, 140, 160), cpuMillisecondsPerUnit: spread(2) }),
    summary("controller-runtime", 100, { unitsPerSecond: spread(100), cpuMillisecondsPerUnit: spread(1) }),
    summary("kopf", 40, { unitsPerSecond: spread(10) }),
  ];
  const text = tables(summaries, full);
  expect(text).toContain("create burst: 5,000 objects");
  expect(text).toMatch(/kopf-ts +150 \(140–160\) +×1\.50 +2 +×2\.00/);
  expect(text).toMatch(/Kopf \(40 % done\) +10 +×0\.10 +– +–/);
});

test("requests are named by verb, without those that hardly happen", () => {
  expect(requestsText({ "update status": 1, list: 0.0002, create: 0.909 })).toBe("update status 1, create 0.909");
  expect(requestsText({})).toBe("none");
});

function summary(operator: Summary["operator"], done: number, figures: Summary["figures"]): Summary {
  return { workload: "burst", operator, rounds: 1, units: 100, done, requests: { "update status": 1 }, figures };
}
