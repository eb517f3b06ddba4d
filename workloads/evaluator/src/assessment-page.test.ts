import { describe, expect, test } from "vitest";
import { assessment } from "./assessment.ts";
import { page } from "./assessment-page.ts";
import { ticksOf } from "./charts.ts";
import { escaped, html, markdown } from "./document.ts";
import { controlled, judgedRecord, measuredOf, none, quickstart, recordsOf } from "./fake-results.ts";
import { percent, points } from "./format.ts";
import { Progress } from "./progress.ts";
import { buildReport, type Report } from "./report.ts";

const half = quickstart.map((passes) => Math.round(passes / 2));
const facts = new Map([
  [`sha256:${"a".repeat(64)}`, { known: true, seen: [], training: { trainingLoss: 0.25, deltaWNorm: 12.5, cosineDiversity: 0.41234 } }],
]);
const measured = measuredOf({ base: none, memory: quickstart, wrong: none, mean: half }, controlled(), facts);
const report = buildReport(measured);
const written = page(report, assessment(report, measured.ledger));

/** All that a pattern's first group matches. */
const all = (pattern: RegExp, text = written) => [...text.matchAll(pattern)].map(([, found = ""]) => found);

describe("the assessment's page", () => {
  test("needs nothing else and runs nothing", () => {
    expect(written).toMatch(/^<!doctype html>\n<html lang="en">/);
    expect(written).not.toMatch(/<script|<link|<img|<iframe|\son\w+=|javascript:|https?:|url\(/i);
    expect(written).toContain("default-src 'none'");
  });

  test("closes every element that it opens, in order", () => {
    const open: string[] = [];
    for (const [tag, closing, name = ""] of written.matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
      if (tag.endsWith("/>") || ["meta"].includes(name)) continue;
      if (closing) expect(open.pop()).toBe(name);
      else open.push(name);
    }
    expect(open).toEqual([]);
  });

  test("has a heading for every section of the text, once", () => {
    const { sections } = assessment(report, measured.ledger);
    expect(all(/<h2>([^<]*)<\/h2>/g)).toEqual(sections.filter(({ blocks }) => blocks.length > 0).map(({ heading }) => escaped(heading)));
    expect(all(/<h1>([^<]*)<\/h1>/g)).toEqual(["memory-helps: the gate passed"]);
  });

  test("names and describes each of its plots for those who don't see it", () => {
    const plots = all(/(<svg [\s\S]*?<\/svg>)/g);
    expect(plots).toHaveLength(3);
    for (const plot of plots)
      expect(plot).toMatch(/^<svg role="img" aria-label="[^"]+" viewBox="[^"]+"><title>[^<]+<\/title><desc>[^<]+<\/desc>/);
  });

  test("draws a dot for every arm, every gain and every control, with the report's numbers", () => {
    const titles = all(/<g class="(?:plain|main|control)"><title>([^<]*)<\/title>/g);
    expect(titles).toEqual([
      ...report.arms.map(({ name, passAt1 }) => `${name}: ${percent(passAt1.estimate)}`),
      ...report.comparisons.map(({ candidate, baseline, delta }) => `${candidate} − ${baseline}: ${points(delta.estimate)}`),
      ...report.contrasts.map(({ candidate, baseline, delta }) => `${candidate} − ${baseline}: ${points(delta.estimate)}`),
    ]);
    expect(all(/<circle class="dot" cx="([\d.]+)"/g)).toHaveLength(titles.length);
  });

  test("puts dots and whiskers where their numbers are on the axis", () => {
    const plot = all(/(<svg [\s\S]*?<\/svg>)/g)[0] ?? "";
    const [zero, hundred] = [all(/x="([\d.]+)" y="\d+">0</g, plot)[0], all(/x="([\d.]+)" y="\d+">100</g, plot)[0]].map(Number) as [
      number,
      number,
    ];
    const at = (share: number) => zero + share * (hundred - zero);
    const dots = all(/<circle class="dot" cx="([\d.]+)"/g, plot).map(Number);
    for (const [index, { passAt1 }] of report.arms.entries()) expect(dots[index]).toBeCloseTo(at(passAt1.estimate), 1);
    const ends = [...plot.matchAll(/<line class="whisker" x1="([\d.]+)" x2="([\d.]+)"/g)].map(([, from, to]) => [Number(from), Number(to)]);
    for (const [index, { passAt1 }] of report.arms.entries()) {
      expect(ends[index]?.[0]).toBeCloseTo(at(passAt1.lower), 1);
      expect(ends[index]?.[1]).toBeCloseTo(at(passAt1.upper), 1);
    }
  });

  test("shows every task in every arm, as a picture and as a table", () => {
    const cells = all(/<g class="cell"><title>([^<]*)<\/title>/g);
    expect(cells).toHaveLength(report.matrix.length * report.arms.length);
    expect(cells).toContain(`t1, memory: ${quickstart[1]} of 5`);
    expect(all(/<rect class="filled"([^>]*)>/g)).toHaveLength(
      report.matrix.flatMap(({ passed }) => Object.values(passed)).filter((passes) => passes > 0).length,
    );
    const { task, passed } = report.matrix[1] as Report["matrix"][number];
    const row = report.arms.map(({ name }) => `<td>${passed[name]}</td>`).join("");
    expect(written).toContain(`<tr><th scope="row">${task}</th>${row}</tr>`);
  });

  test("tells how an adapter was made where its artifact does", () => {
    expect(written).toContain('<th scope="col">‖ΔW‖</th>');
    expect(written).toContain("<td>0.4123</td>");
  });

  test("tells nothing of trainings that no artifact shows", () => {
    expect(report).not.toHaveProperty("curves.shown");
    expect(written).not.toContain("polyline");
  });

  test("escapes what others wrote: names of tasks, errors, and a title", () => {
    const bad = `<script>alert("1")</script>&'\``;
    const { asked, records } = recordsOf({ memory: quickstart, wrong: none, mean: none, base: none });
    const renamed = asked.map((task, index) => (index === 0 ? { ...task, id: bad } : task));
    const evil = ["base", "memory", "wrong", "mean"].map((arm) => judgedRecord(arm, bad, () => "Failed"));
    const failing = evil.map((record) =>
      record.type === "judged"
        ? { ...record, samples: record.samples.map((each) => ({ ...each, execution: { ...each.execution, error: `Boom: ${bad}` } })) }
        : record,
    );
    const ledger = new Progress([...records, ...failing]);
    const job = controlled({ owner: { kind: "Evaluation", namespace: "n", name: "<b>bold</b>", uid: "uid" } });
    const hostile = buildReport({ job, tasks: renamed, ledger, facts });
    const text = page(hostile, assessment(hostile, ledger));
    expect(text).not.toContain("<script");
    expect(text).not.toContain("<b>");
    expect(text).toContain("&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;&#39;");
  });
});

describe("the plots of a training", () => {
  const curve = {
    schema: "rune.dev/training/v1" as const,
    digest: `sha256:${"c".repeat(64)}`,
    trained: "Hypernetwork" as const,
    loss: Array.from({ length: 200 }, (_, index) => ({ step: 10 * (index + 1), loss: 2 - index / 100 })),
    checkpoints: [
      { step: 1000, measured: { cosineDiversity: 0.1, rightMinusWrong: -0.01, deltaWNorm: 3 } },
      { step: 2000, measured: { cosineDiversity: 0.5, rightMinusWrong: 0.03, deltaWNorm: 4 } },
    ],
  };
  const evil = { ...curve, checkpoints: [], digest: `sha256:${"d".repeat(64)}`, trained: "Adapter" as const };
  const shown = (curves: NonNullable<Report["curves"]>["shown"], more = 0) =>
    page({ ...report, curves: { shown: curves, more } }, assessment(report, measured.ledger));
  const right = { ...curve, arms: ["memory", "wrong"], adapters: 40, first: "a-1" };
  const tuned = { ...evil, arms: ["mean"], adapters: 1, first: "<b>tuned</b>" };
  const text = shown([right, tuned], 3);
  const titles = [
    "Training loss by step",
    "Cosine diversity at each checkpoint",
    "Right minus wrong loss at each checkpoint",
    "‖ΔW‖ at each checkpoint",
  ];
  const plotOf = (title: string) => all(/(<svg [\s\S]*?<\/svg>)/g, text).find((plot) => plot.includes(`aria-label="${title}"`)) ?? "";

  test("are loss, diversity, right minus wrong and norms, each described in words", () => {
    expect(all(/aria-label="([^"]*)"/g, text).filter((label) => titles.includes(label))).toEqual(titles);
    expect(plotOf(titles[0] ?? "")).toContain("memory, wrong: hypernetwork of 40 adapters: from 2 at step 10 to 0.01 at step 2000; mean: ");
    expect(plotOf(titles[2] ?? "")).toContain("from -0.01 at step 1000 to 0.03 at step 2000.</desc>");
    expect(text).toContain("3 trainings more aren&#39;t shown.");
  });

  test("have a line for each training that has the figure, the candidate's in its colour", () => {
    const lines = titles.map((title) => all(/<g class="(\w+ dash\d)">/g, plotOf(title)));
    expect(lines).toEqual([["main dash0", "control dash1"], ["main dash0"], ["main dash0"], ["main dash0"]]);
    expect(all(/<polyline class="curve" points="([^"]*)"/g, plotOf(titles[0] ?? ""))[0]?.split(" ")).toHaveLength(200);
  });

  test("put a point where its step and its value are on the axes", () => {
    const plot = plotOf(titles[2] ?? "");
    const tick = (label: string) => Number(new RegExp(`<text class="scale" x="[^"]*" y="([^"]*)">${label}</text>`).exec(plot)?.[1]) - 4;
    const [first, last] = [...plot.matchAll(/<circle class="point" cx="([^"]*)" cy="([^"]*)"/g)].map(([, x, y]) => [Number(x), Number(y)]);
    expect(last?.[1]).toBeCloseTo(tick("0.03"), 1);
    expect(first?.[1]).toBeCloseTo(tick("-0.01"), 1);
    const at = (step: number) => Number(new RegExp(`<text class="tick" x="([^"]*)" y="[^"]*">${step}</text>`).exec(plot)?.[1]);
    expect([first?.[0], last?.[0]]).toEqual([at(1000), at(2000)]);
    expect(plot).toContain("<title>no difference</title>");
  });

  test("escape names, and leave out figures that no checkpoint has", () => {
    expect(text).not.toContain("<b>");
    expect(all(/aria-label="([^"]*)"/g, shown([tuned])).filter((label) => titles.includes(label))).toEqual([titles[0]]);
  });

  test("draw a figure that doesn't change, one point beside a line as a dot, and nothing where all have one point", () => {
    const still = [1, 2].map((step) => ({ step, measured: { deltaWNorm: 0 } }));
    const once = { ...tuned, checkpoints: [{ step: 4, measured: { deltaWNorm: 0 } }] };
    const drawn = shown([{ ...right, checkpoints: still }, once]);
    expect(drawn).not.toMatch(/NaN|Infinity|undefined/);
    expect(all(/<circle class="point"[^>]*><title>([^<]*)</g, drawn)).toHaveLength(3);
    expect(shown([once, { ...once, digest: "other" }])).not.toContain(titles[3]);
  });
});

describe("a document", () => {
  const blocks = [
    { paragraph: "a **b** `c < d`" },
    { list: ["one", "two"] },
    {
      table: [
        ["x", "y"],
        ["1", "2"],
      ],
    },
  ];

  test("is the same in both forms", () => {
    expect(
      markdown({
        title: "T",
        lead: blocks.slice(0, 1),
        sections: [
          { heading: "S", blocks: blocks.slice(1) },
          { heading: "empty", blocks: [] },
        ],
      }),
    ).toBe("# T\n\na **b** `c < d`\n\n## S\n\n- one\n- two\n\n| x | y |\n| --- | ---: |\n| 1 | 2 |\n");
    expect(html(blocks)).toBe(
      '<p>a <strong>b</strong> <code>c &lt; d</code></p>\n<ul><li>one</li><li>two</li></ul>\n<div class="wide"><table><thead><tr><th scope="col">x</th><th scope="col">y</th></tr></thead><tbody><tr><th scope="row">1</th><td>2</td></tr></tbody></table></div>',
    );
  });
});

test.each([
  [0, 0.021, [0, 0.005, 0.01, 0.015, 0.02]],
  [0, 100, [0, 20, 40, 60, 80, 100]],
  [-9.5, 64.5, [0, 20, 40, 60]],
  [-5, 5, [-4, -2, 0, 2, 4]],
])("an axis from %d to %d has round numbers", (low, high, ticks) => {
  expect(ticksOf(low, high)).toEqual(ticks);
});
