import { InferenceUnavailable } from "@rune/clients/inference/inference";
import { Fenced } from "@rune/clients/nats/log";
import { sha256 } from "@rune/clients/registry/digest";
import { RunnerGone } from "@rune/clients/runner/runner";
import { FakeLog, FakePower, FakeRunner, Killed, verified } from "@rune/clients/testing/fakes";
import { type LogRecord, logRecord } from "@rune/crds/contracts/session-log";
import { describe, expect, test } from "vitest";
import { FakeInference, fakeWorld, jobOf } from "./fake-world.ts";
import { route, work } from "./graph.ts";
import type { LogLine } from "./log-lines.ts";
import { emptySession, fold } from "./session.ts";

const never = new AbortController().signal;
const wrongTwice = [
  ["    wrong 1", "    wrong 1", "    wrong 2"],
  ["    wrong 2", "    wrong 3", "    wrong 4"],
  ["    right", "    wrong 5", "    right, too"],
];
const shape = (records: readonly LogRecord[]) =>
  records.map((record) => (record.type === "intent" ? `intent ${record.effect}` : record.type));

describe("a session", () => {
  test("generates, executes each new program once, reflects, and ends after the round in which one passed", async () => {
    const [log, runner, inference] = [new FakeLog(), new FakeRunner(), new FakeInference(wrongTwice)];
    expect(await work(fakeWorld(jobOf(), { log, runner, inference }), [], never)).toBe("Solved");
    const execute = ["intent execute", "executed"];
    expect(shape(log.records)).toEqual([
      "isolation",
      ...["intent generate", "generated", ...execute, ...execute, "reflected"],
      ...["intent generate", "generated", ...execute, ...execute, "reflected"],
      ...["intent generate", "generated", ...execute, ...execute, ...execute, "reflected"],
      "ended",
    ]);
    expect(runner.executed.map((program) => program.trim().split("    ")[1])).toEqual([
      "wrong 1",
      "wrong 2",
      "wrong 3",
      "wrong 4",
      "right",
      "wrong 5",
      "right, too",
    ]);
    for (const record of log.records) expect(logRecord.safeParse(record).success).toBe(true);
  });

  test("tells each step in its own log: the round, the program's digest, the verdict and what was raised", async () => {
    const lines: LogLine[] = [];
    const fakes = { log: new FakeLog(), runner: new FakeRunner(), inference: new FakeInference(wrongTwice), lines };
    await work(fakeWorld(jobOf(), fakes), [], never);
    const verdicts = lines.filter(({ level, message }) => level === "info" && message === "a program was judged");
    expect(verdicts).toHaveLength(7);
    expect(verdicts[2]).toMatchObject({
      round: 2,
      program: sha256(fakes.runner.executed[2] ?? ""),
      outcome: "Error",
      error: "AttributeError: tessera has no 'x3'; use tessera.veil(x) for it",
    });
    expect(lines.at(-1)).toMatchObject({ level: "info", outcome: "Solved", message: "Solved: 2 of 7 programs passed in 3 rounds" });
  });

  test("tells prompts, programs and notes at debug alone", async () => {
    const lines: LogLine[] = [];
    const fakes = { log: new FakeLog(), runner: new FakeRunner(), inference: new FakeInference(wrongTwice), lines };
    await work(fakeWorld(jobOf(), fakes), [], never);
    const told = (level: LogLine["level"]) => JSON.stringify(lines.filter((line) => line.level === level));
    for (const text of ["Write solve.", "wrong 3", "Notes from earlier runs"]) {
      expect(told("info")).not.toContain(text);
      expect(told("debug")).toContain(text);
    }
  });

  test("numbers every step once, and gives a result the number of its intent", async () => {
    const log = new FakeLog();
    await work(fakeWorld(jobOf(), { log, runner: new FakeRunner(), inference: new FakeInference(wrongTwice) }), [], never);
    const firsts = log.records.filter(({ type }) => !["generated", "executed"].includes(type)).map(({ n }) => n);
    expect(firsts).toEqual(firsts.map((_, index) => index));
  });

  test("asks with what the round before taught", async () => {
    const inference = new FakeInference(wrongTwice);
    await work(fakeWorld(jobOf(), { log: new FakeLog(), runner: new FakeRunner(), inference }), [], never);
    expect(inference.prompts[0]).not.toContain("Notes");
    expect(inference.prompts[1]).toContain("Notes from earlier runs:\n- AttributeError: tessera has no 'x1'; use tessera.veil(x) for it");
  });

  test("shows the whole conversation with the policy History", async () => {
    const inference = new FakeInference(wrongTwice);
    await work(fakeWorld(jobOf({ reflection: "History" }), { log: new FakeLog(), runner: new FakeRunner(), inference }), [], never);
    expect(inference.prompts[1]).toContain("wrong 1");
    expect(inference.prompts[1]).toContain("That program failed: AttributeError: tessera has no 'x1'");
  });

  test("leaves the oldest turns out where the server takes short sequences only", async () => {
    const rounds = [1, 2, 3].map((round) => [`    wrong ${round} ${"x".repeat(200)}`]);
    const { model } = jobOf();
    const promptOf = async (maxModelLength: number) => {
      const inference = new FakeInference(rounds);
      const job = jobOf({ reflection: "History", model: { ...model, maxModelLength } });
      await work(fakeWorld(job, { log: new FakeLog(), runner: new FakeRunner(), inference }), [], never);
      return inference.prompts[2] ?? "";
    };
    expect(await promptOf(4096)).toMatch(/wrong 1.*wrong 2/s);
    expect(await promptOf(750)).toMatch(/^(?!.*wrong 1).*wrong 2/s);
    expect(await promptOf(512)).not.toContain("wrong");
  });

  test.each([
    [1, "1 round"],
    [2, "2 rounds"],
  ])("is exhausted when none of %i passed", async (attempts, rounds) => {
    const log = new FakeLog();
    expect(
      await work(
        fakeWorld(jobOf({ attempts }), { log, runner: new FakeRunner(), inference: new FakeInference([["    wrong"]]) }),
        [],
        never,
      ),
    ).toBe("Exhausted");
    expect(log.records.at(-1)).toMatchObject({ type: "ended", message: `Exhausted: 0 of 1 programs passed in ${rounds}` });
  });

  test("ends with DeadlineExceeded when its time is over, and asks for nothing more", async () => {
    const log = new FakeLog();
    const inference = new FakeInference([["    right"]]);
    expect(await work(fakeWorld(jobOf(), { log, runner: new FakeRunner(), inference, now: () => new Date("2031-01-01") }), [], never)).toBe(
      "DeadlineExceeded",
    );
    expect(shape(log.records)).toEqual(["ended"]);
    expect(inference.asked).toBe(0);
  });

  test("ends with DeadlineExceeded when the model server keeps silent until no time is left", async () => {
    const log = new FakeLog();
    const world = fakeWorld(jobOf(), { log, runner: new FakeRunner(), inference: new FakeInference([]) });
    const silent = { ...world, ask: () => Promise.reject(new InferenceUnavailable("no answer")) };
    expect(await work(silent, [], never)).toBe("DeadlineExceeded");
    expect(shape(log.records)).toEqual(["isolation", "intent generate", "ended"]);
  });

  test("runs no program and asks no model where isolation isn't proven, and names the failed probes", async () => {
    const [log, runner, inference] = [new FakeLog(), new FakeRunner(), new FakeInference([["    right"]])];
    const isolation = {
      verified: false,
      probes: verified.probes.map((probe) => (probe.layer === 1 ? { ...probe, observed: "Reached" as const } : probe)),
    };
    await expect(work(fakeWorld(jobOf(), { log, runner, inference, isolation }), [], never)).rejects.toMatchObject({
      code: 65,
      reason: "IsolationUnproven",
      message: expect.stringContaining("canary over the network (layer 1)"),
    });
    expect(shape(log.records)).toEqual(["isolation"]);
    expect([runner.executed.length, inference.asked]).toEqual([0, 0]);
  });

  test("asks for no program that its tests couldn't judge, and says why", async () => {
    const [log, runner, inference] = [new FakeLog(), new FakeRunner(), new FakeInference([["    right"]])];
    const unusable = "line 1: SyntaxError: invalid syntax";
    await expect(work(fakeWorld(jobOf(), { log, runner, inference, unusable }), [], never)).rejects.toMatchObject({
      code: 65,
      reason: "TestsUnusable",
      message: "no program can be judged by the tests: line 1: SyntaxError: invalid syntax; correct them",
    });
    expect([inference.asked, runner.executed.length]).toEqual([0, 0]);
  });

  test("asks for no second program where the first one showed that the tests are at fault, also when it starts again", async () => {
    const [log, runner, inference] = [new FakeLog(), new FakeRunner(), new FakeInference([["    wrong"]])];
    const world = fakeWorld(jobOf(), { log, runner, inference });
    const execution = { passed: false, outcome: "TestsUnusable" as const, error: "line 3: NameError: x", durationSeconds: 0 };
    const unlucky = { ...world, execute: () => Promise.resolve(execution) };
    await expect(work(unlucky, [], never)).rejects.toMatchObject({ reason: "TestsUnusable", message: expect.stringContaining("line 3") });
    expect(log.records.at(-1)).toMatchObject({ type: "executed", execution });
    await expect(work(fakeWorld(jobOf(), { log, runner, inference }), log.records, never)).rejects.toMatchObject({
      reason: "TestsUnusable",
    });
    expect(inference.asked).toBe(1);
  });

  test("proves each epoch's sandbox again", async () => {
    const fakes = { log: new FakeLog(), runner: new FakeRunner(), inference: new FakeInference(wrongTwice) };
    await expect(work(fakeWorld(jobOf(), { ...fakes, power: new FakePower(14) }), [], never)).rejects.toBeInstanceOf(Killed);
    await work(fakeWorld(jobOf({ epoch: 2 }), fakes), fakes.log.records, never);
    expect(fakes.log.records.filter(({ type }) => type === "isolation").map(({ epoch }) => epoch)).toEqual([1, 2]);
  });

  test("doesn't write where a newer epoch has written", async () => {
    const fakes = { log: new FakeLog(), runner: new FakeRunner(), inference: new FakeInference(wrongTwice) };
    await expect(work(fakeWorld(jobOf({ epoch: 2 }), { ...fakes, power: new FakePower(9) }), [], never)).rejects.toBeInstanceOf(Killed);
    const before = fakes.log.records.length;
    await expect(work(fakeWorld(jobOf({ epoch: 1 }), fakes), fakes.log.records, never)).rejects.toBeInstanceOf(Fenced);
    expect(fakes.log.records.length).toBe(before);
  });

  test("stops at SIGTERM without ending the session", async () => {
    const [log, stop] = [new FakeLog(), new AbortController()];
    const world = fakeWorld(jobOf(), { log, runner: new FakeRunner(), inference: new FakeInference(wrongTwice) });
    const stopping = {
      ...world,
      ask: (question: Parameters<typeof world.ask>[0]) => {
        stop.abort(new Error("SIGTERM"));
        return world.ask(question);
      },
    };
    await expect(work(stopping, [], stop.signal)).rejects.toThrow("SIGTERM");
    expect(shape(log.records)).toEqual(["isolation", "intent generate", "generated"]);
  });
});

describe("an agent that is killed", { timeout: 120_000 }, () => {
  const whole = async () => {
    const fakes = { log: new FakeLog(), runner: new FakeRunner(), inference: new FakeInference(wrongTwice), power: new FakePower() };
    const outcome = await work(fakeWorld(jobOf(), fakes), [], never);
    return { ...fakes, outcome };
  };
  /**
   * Steps that count: what was generated, executed and learnt; without numbers, which `lost` and a repeated proof
   * shift.
   */
  const essence = (records: readonly LogRecord[]) =>
    records.flatMap((record) => {
      if (record.type === "generated") return [["generated", ...record.programs]];
      if (record.type === "executed") return [["executed", record.program, record.execution.error]];
      if (record.type === "reflected") return [["reflected", ...record.notes]];
      return record.type === "ended" ? [["ended", record.outcome, record.message]] : [];
    });
  /**
   * A model's answers are lost with the agent that requested them, so this model repeats itself until its answer is in
   * the log.
   */
  class FakeSteadyInference extends FakeInference {
    readonly log: FakeLog;
    constructor(answers: string[][], log: FakeLog) {
      super(answers);
      this.log = log;
    }
    override ask(prompt: string): string[] {
      this.asked = this.log.records.filter(({ type }) => type === "generated").length;
      return super.ask(prompt);
    }
  }

  test.each([
    ["and started again in its epoch", 1],
    ["and followed by a new epoch with a new sandbox", 2],
  ])("at any boundary of any effect %s loses nothing and repeats nothing", async (_, epoch) => {
    const reference = await whole();
    for (let fatal = 1; fatal <= reference.power.boundaries; fatal++) {
      const log = new FakeLog();
      const inference = new FakeSteadyInference(wrongTwice, log);
      const first = new FakeRunner();
      await expect(
        work(fakeWorld(jobOf(), { log, runner: first, inference, power: new FakePower(fatal) }), [], never),
      ).rejects.toBeInstanceOf(Killed);
      const second = epoch === 1 ? first : new FakeRunner();
      if (epoch === 2) second.executed.push(...log.records.flatMap((record) => (record.type === "executed" ? [record.program] : [])));
      expect(
        await work(fakeWorld(jobOf({ epoch }), { log, runner: second, inference }), [...log.records], never),
        `killed at ${fatal}`,
      ).toBe(reference.outcome);
      expect(essence(log.records), `killed at ${fatal}`).toEqual(essence(reference.log.records));
      expect(second.executed, `killed at ${fatal}`).toEqual(reference.runner.executed);
      expectEachStepOnce(log.records);
    }
  });

  test("twice, and then once more at every boundary of the third life, still ends as if never killed", async () => {
    const reference = await whole();
    for (let fatal = 1; fatal <= 30; fatal++) {
      const log = new FakeLog();
      const fakes = { log, runner: new FakeRunner(), inference: new FakeSteadyInference(wrongTwice, log) };
      for (const power of [new FakePower(7), new FakePower(12), new FakePower(fatal)])
        await work(fakeWorld(jobOf(), { ...fakes, power }), [...log.records], never).catch((error) => expect(error).toBeInstanceOf(Killed));
      await work(fakeWorld(jobOf(), fakes), [...log.records], never);
      expect(essence(log.records), `killed at ${fatal}`).toEqual(essence(reference.log.records));
      expectEachStepOnce(log.records);
    }
  });

  test("and whose sandbox goes with one program each time gives that program a verdict instead of a third run", async () => {
    const log = new FakeLog();
    const inference = new FakeSteadyInference(wrongTwice, log);
    const asked: string[] = [];
    const deadly = (epoch: number) => {
      const world = fakeWorld(jobOf({ epoch }), { log, runner: new FakeRunner(), inference });
      const execute: typeof world.execute = async (program) => {
        asked.push(program.program.trim());
        if (program.program.includes("wrong 2")) throw new RunnerGone("the sandbox is gone");
        return await world.execute(program);
      };
      return work({ ...world, execute }, [...log.records], never);
    };
    for (const epoch of [1, 2]) await expect(deadly(epoch)).rejects.toBeInstanceOf(RunnerGone);
    expect(await deadly(3)).toBe("Solved");
    expect(asked.filter((program) => program.includes("wrong 2"))).toHaveLength(2);
    expect(log.records.filter(({ type }) => type === "lost")).toHaveLength(2);
    const verdict = log.records.find((record) => record.type === "executed" && record.program.includes("wrong 2"));
    expect(verdict).toMatchObject({
      epoch: 3,
      execution: { passed: false, outcome: "Error", error: expect.stringContaining("ended twice") },
    });
    expect(fold(log.records)).toMatchObject({ losses: 0, outcome: "Solved" });
    expectEachStepOnce(log.records);
  });

  function expectEachStepOnce(records: readonly LogRecord[]): void {
    const ids = records.map((record) => `${record.n}/${record.type}`);
    expect(new Set(ids).size).toBe(ids.length);
    for (const intent of records.filter(({ type }) => type === "intent")) {
      const results = records.filter(({ n, type }) => n === intent.n && type !== "intent");
      expect(results.length, `results of step ${intent.n}`).toBe(1);
      for (const result of results) expect(result.type === "lost" || result.epoch === intent.epoch, `epoch of step ${intent.n}`).toBe(true);
    }
  }
});

describe("the route", () => {
  const job = { attempts: 2, deadline: "2030-01-01T00:00:00Z" };
  const early = new Date(0);
  const late = new Date("2030-01-01T00:00:00Z");
  const passed = { round: 0, program: "p", execution: { passed: true, outcome: "Passed" as const, error: "", durationSeconds: 0 } };
  test.each([
    ["an empty session generates", {}, early, "generate"],
    ["a waiting program is executed", { sampled: true, waiting: ["p"] }, early, "execute"],
    ["a round without waiting programs is reflected on", { sampled: true }, early, "reflect"],
    ["a solved round is still reflected on", { sampled: true, attempts: [passed] }, early, "reflect"],
    ["a solved session is saved", { round: 1, attempts: [passed] }, early, "save"],
    ["an exhausted session is saved", { round: 2 }, early, "save"],
    ["nothing begins at the deadline", { sampled: true, waiting: ["p"] }, late, "save"],
    ["an ended session has nowhere to go", { outcome: "Solved" as const }, early, "__end__"],
  ])("%s", (_, changes, now, expected) => {
    expect(route({ ...emptySession, ...changes }, job, now)).toBe(expected);
  });
});
