import { Fenced } from "@rune/clients/nats/log";
import { RunnerGone } from "@rune/clients/runner/runner";
import { FakePower, Killed, verified } from "@rune/clients/testing/fakes";
import { type LogRecord, logRecord } from "@rune/crds/contracts/session-log";
import { mostSamples } from "@rune/crds/fields/sampling";
import { describe, expect, test } from "vitest";
import { FakeOutside, fakeWorld, jobOf, tasks } from "./fake-world.ts";
import { measure } from "./measure.ts";
import { Progress } from "./progress.ts";

const never = new AbortController().signal;
const types = (records: readonly LogRecord[]) => Map.groupBy(records, ({ type }) => type);

describe("an arm", () => {
  test("has each task sampled, executed and judged, each distinct program executed once", async () => {
    const outside = new FakeOutside();
    await measure(fakeWorld(jobOf(), { outside }), never);
    const ledger = new Progress(outside.records);
    for (const { id } of tasks)
      expect(ledger.judged("base", id)?.map(({ execution }) => execution.passed)).toEqual([false, false, false, false]);
    expect(outside.runner.executed).toHaveLength(tasks.length * 2);
    expect(outside.records.every((record) => logRecord.safeParse(record).success)).toBe(true);
    expect(new Set(outside.records.map(({ n, type }) => `${n}/${type}`)).size).toBe(outside.records.length);
  });

  test("has as many samples as a spec may ask for in its log", async () => {
    const outside = new FakeOutside();
    await measure(fakeWorld(jobOf({ samples: mostSamples }), { outside }), never);
    expect(outside.records.every((record) => logRecord.safeParse(record).success)).toBe(true);
  });

  test("that was judged whole is neither proven, sampled nor executed again", async () => {
    const outside = new FakeOutside();
    await measure(fakeWorld(jobOf(), { outside }), never);
    const before = [...outside.records];
    await measure(fakeWorld(jobOf({ epoch: 2 }), { outside }), never);
    expect(outside.records).toEqual(before);
  });

  test("doesn't try tests again that have judged another arm's programs", async () => {
    const outside = new FakeOutside();
    const tried: string[] = [];
    const worldOf = (job: ReturnType<typeof jobOf>) => ({
      ...fakeWorld(job, { outside }),
      tryTests: async ({ id }: { id: string }) => {
        tried.push(id);
        return "";
      },
    });
    await measure(worldOf(jobOf()), never);
    expect(tried.toSorted()).toEqual(tasks.map(({ id }) => id).toSorted());
    await measure(worldOf(jobOf({ epoch: 2, active: ["memory"] })), never);
    expect(tried).toHaveLength(tasks.length);
  });

  test("leaves the other arm's results alone", async () => {
    const outside = new FakeOutside();
    await measure(fakeWorld(jobOf(), { outside }), never);
    await measure(fakeWorld(jobOf({ epoch: 2, active: ["memory"] }), { outside }), never);
    const ledger = new Progress(outside.records);
    expect(ledger.judged("memory", "both-veil")?.filter(({ execution }) => execution.passed)).toHaveLength(2);
    expect(ledger.judged("base", "both-veil")?.filter(({ execution }) => execution.passed)).toHaveLength(0);
    expect(
      types(outside.records)
        .get("isolation")
        ?.map(({ epoch }) => epoch),
    ).toEqual([1, 2]);
  });

  test("runs nothing where isolation isn't proven", async () => {
    const outside = new FakeOutside();
    const isolation = { verified: false, probes: verified.probes.map((probe) => ({ ...probe, observed: "Reached" as const })) };
    await expect(measure(fakeWorld(jobOf(), { outside, isolation }), never)).rejects.toMatchObject({
      code: 65,
      reason: "IsolationUnproven",
    });
    expect(outside.records.map(({ type }) => type)).toEqual(["isolation"]);
    expect([outside.asked, outside.runner.executed.length]).toEqual([0, 0]);
  });

  test("asks no model where a task's tests can't judge any program, and names these tasks", async () => {
    const outside = new FakeOutside();
    const unusable = { "both-haul": "line 2: SyntaxError: invalid syntax", "table-seal": "the tests never use solve" };
    await expect(measure(fakeWorld(jobOf(), { outside, unusable }), never)).rejects.toMatchObject({
      code: 65,
      reason: "TestsUnusable",
      message:
        "no program can be judged by the tests of task both-haul: line 2: SyntaxError: invalid syntax; nor by those of table-seal; correct them",
    });
    expect([outside.asked, outside.runner.executed.length]).toEqual([0, 0]);
  });

  test("counts no task against an arm whose tests turn out to be at fault", async () => {
    const outside = new FakeOutside();
    const execution = { passed: false, outcome: "TestsUnusable" as const, error: "line 3: NameError: x", durationSeconds: 0 };
    const world = { ...fakeWorld(jobOf(), { outside }), execute: () => Promise.resolve(execution) };
    await expect(measure(world, never)).rejects.toMatchObject({
      reason: "TestsUnusable",
      message: expect.stringMatching(/of task .*line 3/),
    });
    expect(types(outside.records).get("judged")).toBeUndefined();
  });

  test("stops when its time is over, and what was judged stays", async () => {
    const outside = new FakeOutside();
    let asked = 0;
    const now = () => new Date(++asked > 12 ? "2030-01-01T00:00:00Z" : 0);
    await expect(measure(fakeWorld(jobOf({ concurrency: 1 }), { outside, now }), never)).rejects.toMatchObject({
      code: 75,
      reason: "DeadlineExceeded",
    });
    expect(types(outside.records).get("judged")?.length).toBeGreaterThan(0);
  });

  test("doesn't write where a newer epoch has written", async () => {
    const outside = new FakeOutside();
    await measure(fakeWorld(jobOf({ epoch: 2, active: ["memory"] }), { outside }), never);
    await expect(measure(fakeWorld(jobOf(), { outside }), never)).rejects.toBeInstanceOf(Fenced);
  });
});

describe("an evaluator that is killed", () => {
  test.each([
    ["and started again in its epoch", 1, 1],
    ["and followed by a new epoch with a new sandbox", 2, 1],
    ["with tasks at once, and followed by a new epoch", 2, 3],
  ])("at any boundary of any effect %s samples no judged task again and replaces no program", async (_, epoch, concurrency) => {
    const whole = { outside: new FakeOutside(), power: new FakePower() };
    await measure(fakeWorld(jobOf({ concurrency }), whole), never);
    for (let fatal = 1; fatal <= whole.power.boundaries; fatal++) {
      const outside = new FakeOutside();
      const killed = measure(fakeWorld(jobOf({ concurrency }), { outside, power: new FakePower(fatal) }), never);
      await expect(killed, `killed at ${fatal}`).rejects.toBeInstanceOf(Killed);
      const fixed = outside.records.filter(({ type }) => type === "generated");
      if (epoch === 2) outside.runner.results.clear();
      await measure(fakeWorld(jobOf({ epoch, concurrency }), { outside }), never);
      const { generated = [], judged = [], intent = [] } = Object.fromEntries(types(outside.records));
      expect(generated.slice(0, fixed.length), `killed at ${fatal}`).toEqual(fixed);
      expect([generated.length, judged.length], `killed at ${fatal}`).toEqual([tasks.length, tasks.length]);
      for (const record of generated) {
        const result = judged.find(({ n }) => n === record.n);
        expect(result?.type === "judged" && record.type === "generated" && result.samples.map(({ program }) => program)).toEqual(
          "programs" in record && record.programs,
        );
      }
      for (const record of intent)
        if (record.type === "intent" && record.effect === "generate")
          expect(outside.records.filter(({ n, type }) => n === record.n && ["generated", "lost"].includes(type))).toHaveLength(1);
    }
  });
});

describe("a program that takes its sandbox down", () => {
  const target = tasks[3]?.id;
  /**
   * Epochs until one ends the arm; the sandbox is lost as soon as the program runs, with everything else that runs or
   * is requested.
   */
  async function lives(deadly: (program: string, taskId: string) => boolean) {
    const outside = new FakeOutside();
    const runs = new Map<string, number>();
    for (let epoch = 1; epoch <= 8; epoch++) {
      const world = fakeWorld(jobOf({ epoch, concurrency: 3 }), { outside });
      let gone = false;
      const execute: typeof world.execute = async (program) => {
        const taskId = outside.records.flatMap((record) =>
          record.type === "intent" && program.id.startsWith(`uid/${record.n}/`) ? [(record.input as { taskId: string }).taskId] : [],
        )[0];
        await Promise.resolve();
        const key = `${taskId} ${program.program.trim().split("\n").at(-1)?.trim()}`;
        if (!gone) runs.set(key, (runs.get(key) ?? 0) + 1);
        gone ||= deadly(program.program, taskId ?? "");
        if (gone) throw new RunnerGone("the sandbox is gone");
        return await world.execute(program);
      };
      const end = await measure({ ...world, execute }, never).then(
        () => undefined,
        (error: unknown) => error,
      );
      if (end === undefined) return { outside, runs, epoch };
      expect(end).toBeInstanceOf(RunnerGone);
      outside.runner.results.clear();
    }
    throw new Error("the arm was not judged in 8 epochs");
  }

  test("is judged as an error once it was lost twice, and nobody else is", async () => {
    const { outside, epoch } = await lives((program, taskId) => taskId === target && /wrong$/.test(program.trim()));
    expect(epoch).toBe(4);
    const ledger = new Progress(outside.records);
    const judged = tasks.flatMap(({ id }) => (ledger.judged("base", id) ?? []).map((sample) => ({ id, ...sample })));
    expect(judged).toHaveLength(tasks.length * 4);
    const lost = judged.filter(({ execution }) => execution.error.includes("ended twice"));
    expect(new Set(lost.map(({ id, program }) => `${id} ${program.trim().split("\n").at(-1)?.trim()}`))).toEqual(
      new Set([`${target} wrong`]),
    );
    expect(lost[0]?.execution).toMatchObject({ passed: false, outcome: "Error" });
    expect(outside.records.filter(({ type }) => type === "lost")).toHaveLength(2);
  });

  test("is replayed from the log alone: the ledger of the same records says the same", async () => {
    const { outside } = await lives((program, taskId) => taskId === target && /wrong$/.test(program.trim()));
    const before = [...outside.records];
    await measure(fakeWorld(jobOf({ epoch: 9 }), { outside }), never);
    expect(outside.records).toEqual(before);
  });
});
