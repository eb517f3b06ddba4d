import { beforeAll, describe, expect, test } from "vitest";
import { assessment } from "./assessment.ts";
import { markdown } from "./document.ts";
import { adapterArm, controlled, measuredOf, none, quickstart } from "./fake-results.ts";
import { FakeOutside, fakeWorld, jobOf, tasks } from "./fake-world.ts";
import { measure } from "./measure.ts";
import { Progress } from "./progress.ts";
import { buildReport } from "./report.ts";
import type { Measured } from "./results.ts";

const never = new AbortController().signal;
const textOf = (measured: Measured) => markdown(assessment(buildReport(measured), measured.ledger));
const half = quickstart.map((passes) => Math.round(passes / 2));
const outside = new FakeOutside();
let measured: Measured;

beforeAll(async () => {
  await measure(fakeWorld(jobOf(), { outside }), never);
  await measure(fakeWorld(jobOf({ epoch: 2, active: ["memory"] }), { outside }), never);
  const facts = new Map([[`sha256:${"a".repeat(64)}`, { known: true, seen: [], training: {} }]]);
  measured = { job: jobOf(), tasks, ledger: new Progress(outside.records), facts };
});

describe("an assessment", () => {
  test("reads as a person would write it", () => {
    expect(textOf(measured)).toMatchInlineSnapshot(`
      "# memory-helps: nothing was decided

      **base** (base model \`qwen\` alone) and **memory** (adapter \`tessera-0123456789abcdef\`) each answered the same 6 held-out tasks, which come in 3 groups that stand or fall together, with 4 programs per task. A program counts when the task's own tests pass, in a sandbox that was proven to be isolated.

      ## The numbers

      | Arm | Pass@1 | 95 % interval | Pass@4 |
      | --- | ---: | ---: | ---: |
      | base | 0.0 % | 0.0 % to 89.2 % | 0.0 % |
      | memory | 33.3 % | 2.5 % to 90.6 % | 66.7 % |

      Gains, paired by task:

      - **memory** against **base**: +33.3 points, 95 % interval -38.4 to +100.0

      ## The verdict

      **memory** had to gain 5 points over **base**; its gain is +33.3 points, 95 % interval -38.4 to +100.0. By the rule \`LowerBound\` it stays undecided: 3 clusters, by their sizes worth 3.0 independent tasks, are too few for any verdict, which takes 10; add tasks that have nothing to do with these, in clusters of their own.

      By the rule \`PointEstimate\` it comes out the same, for the same reason.

      ## Is it memory?

      There was no control arm: whether **memory** remembers something of these tasks, or is one better adapter for everything, isn't known.

      ## What it cost

      | Arm | Prompt tokens | Answer tokens | Seconds of requests | Programs run | Answers cut off |
      | --- | ---: | ---: | ---: | ---: | ---: |
      | base | 18 | 24 | 12 | 12 | 0 |
      | memory | 18 | 24 | 12 | 16 | 0 |

      A prompt is counted once for its 4 programs; equal programs of a task are run once.

      ## What changed

      From **base** to **memory**, of 4 each:

      - 4 tasks gained: \`both-haul\` (0 → 2), \`both-veil\` (0 → 2), \`table-haul\` (0 → 2), \`table-veil\` (0 → 2)
      - 0 tasks lost
      - 2 tasks that neither solved: \`both-seal\`, \`table-seal\`

      ## What is left to learn

      16 programs of **memory** failed, most often so:

      - 16 × Error: \`AttributeError: tessera has no '…'; use tessera.veil(x) for it\`

      ## What to do next

      - Take at least 10 independent tasks, in clusters of nearly one size; these were 3.
      - Give the next evaluation the control arms: the wrong adapters, and their mean or noise.

      ## How far to trust this

      - **Leakage suspected**: a gain of more than 15 points is more often a leak of the tasks than a success. The control arms that would tell are missing.
      - 3 groups of tasks are few: an interval of so few trusts that those which weren't drawn are like these.
      - The intervals speak of other tasks of this kind, drawn as these were. They say nothing about tasks of another kind.
      - Each gate spends its tasks: an adapter that was chosen by looking at these results needs fresh ones.
      - Every program stands in \`samples.jsonl\`; all numbers can be computed from it again. Task set: \`rune/n/tasks@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\`.
      "
    `);
  });

  test("says of which arms many answers were cut off, and at how many tokens", () => {
    let cutOff = 0;
    const records = outside.records.map((record) => (record.type === "generated" ? { ...record, cutOff: cutOff++ === 0 ? 1 : 0 } : record));
    expect(textOf({ ...measured, ledger: new Progress(records) })).not.toContain("**Answers cut off**");
    const many = outside.records.map((record) => (record.type === "generated" ? { ...record, cutOff: record.epoch } : record));
    const text = textOf({ ...measured, ledger: new Progress(many) });
    expect(text).toContain("**Answers cut off**: 6 of 24 answers of **base** reached `sampling.maxTokens` (512)");
    expect(text).toContain("12 of 24 answers of **memory**");
  });

  test("of arms that solved nothing says so without a verdict in anyone's favour", () => {
    const text = textOf(
      measuredOf({ base: none, memory: none }, jobOf({ samples: 5, gate: { candidate: "memory", baseline: "base", minimumTasks: 12 } })),
    );
    expect(text).toContain("48 tasks that neither solved");
    expect(text).not.toContain("Leakage");
    expect(text).not.toContain("may be used");
  });

  test("of a pass says what it was measured against, what it may be used for, and that its tasks are spent", () => {
    const text = textOf(measuredOf({ base: none, memory: quickstart, wrong: none, mean: half }, controlled()));
    expect(text).toMatch(/^# memory-helps: the gate passed\n/);
    expect(text).toContain("Right minus wrong (**memory** against **wrong**): +53.3 points");
    expect(text).toContain("it helps more than another task's adapter");
    expect(text).toContain("**memory** may be used for tasks of this kind");
  });

  test("of a pass whose wrong adapters help as much says that it isn't memory", () => {
    const text = textOf(measuredOf({ base: none, memory: quickstart, wrong: quickstart, mean: quickstart }, controlled()));
    expect(text).toContain("the gate passed");
    expect(text).toContain("nothing shows that it helps more than another task's adapter");
    expect(text).toContain("isn't shown to be memory");
  });

  test("of a fail says how, what was learned, and what to do", () => {
    const text = textOf(measuredOf({ base: quickstart, memory: none, wrong: none, mean: none }, controlled()));
    expect(text).toMatch(/^# memory-helps: the gate failed\n/);
    expect(text).toContain("The wrong adapters help as much as the right ones");
    expect(text).toContain("41 tasks lost");
  });

  test("of a gate that stays open says how many tasks would close it", () => {
    const little = quickstart.map((_, index) => (index % 12 === 0 ? 5 : 0));
    const text = textOf(measuredOf({ base: none, memory: little, wrong: none, mean: none }, controlled()));
    expect(text).toContain("nothing was decided");
    expect(text).toMatch(/with a chance of 80\.0 %, take about [1-9]\d* independent tasks; these were 16/);
  });

  test("says in its first line that it is a smoke test, and that adapters have learnt from its tasks", () => {
    const gate = { candidate: "memory", baseline: "base", mode: "Smoke" as const };
    const facts = new Map([[`sha256:${"a".repeat(64)}`, { known: true, seen: ["t0", "t1"], training: {} }]]);
    const text = textOf(measuredOf({ base: none, memory: quickstart }, jobOf({ samples: 5, seenTasks: "Allow", gate }), facts));
    expect(text.split("\n")[0]).toBe("# memory-helps: the gate passed, in a smoke test, on tasks that what it measures has learnt from");
    expect(text).toContain("`tessera-0123456789abcdef` of **memory** (2 tasks)");
    expect(text).toContain("Repeat it in full");
  });

  test("names the alarm where a collapsed hypernetwork made the adapters, and where none did says nothing of it", () => {
    const facts = new Map([
      [`sha256:${"a".repeat(64)}`, { known: true, seen: [], training: {}, collapsed: "right minus wrong is `-0.1`" }],
    ]);
    expect(textOf({ ...measured, facts })).toContain("**Made by force**: adapters of **memory** are of a hypernetwork");
    expect(textOf({ ...measured, facts })).toContain(": `right minus wrong is '-0.1'`.");
    expect(textOf(measured)).not.toContain("Made by force");
  });

  test("names adapters that don't say what they have learnt from", () => {
    expect(textOf({ ...measured, facts: new Map() })).toContain("may have seen these tasks: `tessera-0123456789abcdef`");
  });

  test("of a relative drop, and of several looks, says what the interval is of", () => {
    const gate = { candidate: "memory", baseline: "base", maxRelativeDropPercent: 10, minimumTasks: 12 };
    const text = textOf(measuredOf({ base: quickstart, memory: quickstart }, jobOf({ samples: 5, gate, look: { number: 2, of: 2 } })));
    expect(text).toContain("had to keep 90 % of the baseline's Pass@1, that of **base**; what it has above that is +5.3 points");
    expect(text).toContain("ended at look 2 of 2");
  });

  test("compares what the same experience does as text, with its tokens", () => {
    const [base] = jobOf().arms;
    const notes = { ...base!, name: "notes", context: { artifacts: [], pick: "Nearest" as const, as: "Notes" as const, maxTokens: 512 } };
    const scoped = adapterArm("memory", { assigned: { "both-veil": "veil" }, generated: true });
    const job = jobOf({ arms: [base!, scoped, notes] });
    const asNotes = new Progress(
      outside.records.flatMap((record) =>
        record.epoch === 1
          ? [
              record,
              ...(record.type === "judged"
                ? [{ ...record, arm: "notes" }]
                : record.type === "intent"
                  ? [{ ...record, input: { ...(record.input as object), arm: "notes" } }]
                  : []),
            ]
          : [record],
      ),
    );
    const text = textOf({ ...measured, job, ledger: asNotes });
    expect(text).toContain(
      "**notes** (base model `qwen` alone, told the notes of the nearest sessions in at most 512 tokens; before 6 tasks there was nothing to tell)",
    );
    expect(text).toContain("one of 1 generated adapters for each task; 5 tasks without one answered by the base");
    expect(text).toMatch(/\*\*memory\*\* solved 33\.3 % with 3/);
  });
});
