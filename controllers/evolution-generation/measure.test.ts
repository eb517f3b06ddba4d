import { describe, expect, it } from "vitest";
import { adaptersOf, aGeneration, aMember, begun, decideOn, ours, statusOf, taskSet } from "../testing/evolution-world.ts";
import type { World } from "./world.ts";

describe("measuring", () => {
  const names = Array.from({ length: 9 }, (_, n) => `x${n}`);
  const unmeasured = { ...begun, members: names.map((name) => aMember(name)) };
  const at = (status: object, over: Partial<World> = {}) =>
    decideOn({ generation: aGeneration({ status }), adapters: adaptersOf(...names), ...over });

  it("takes seven adapters an evaluation, one evaluation after the other, the base in each", () => {
    const planned = at(unmeasured).status as { evaluations: { adapters: string[] }[] };
    expect(planned.evaluations.map(({ adapters }) => adapters.length)).toEqual([7, 2]);
    const [evaluation, ...others] = at({ ...unmeasured, ...planned }).creates;
    expect(others).toEqual([]);
    expect(evaluation).toMatchObject({ kind: "Evaluation", metadata: { name: "parsers-m1" } });
    expect(evaluation?.spec.taskSet).toEqual({ repository: taskSet.repository, digest: taskSet.digest, part: "Validation" });
    expect(evaluation?.spec.arms.map(({ adapter }: { adapter?: string }) => adapter)).toEqual([undefined, ...names.slice(0, 7)]);
  });

  const running = { name: "parsers-m1", purpose: "Members", adapters: names.slice(0, 3), state: "Running", uid: "u" };
  const status = { ...unmeasured, evaluations: [running] };
  it("halves an evaluation that failed, until it is known who can't be measured", () => {
    const failed = at(status, { evaluations: new Map([["parsers-m1", ours("parsers-m1", ["Failed"])]]) });
    expect(failed.status).toMatchObject({
      evaluations: [
        { state: "Failed", message: expect.stringContaining("because of Failed") },
        { adapters: ["x0", "x1"] },
        { adapters: ["x2"] },
      ],
    });
    const alone = at(
      { ...unmeasured, evaluations: [{ ...running, adapters: ["x0"] }] },
      { evaluations: new Map([["parsers-m1", ours("parsers-m1", ["Stalled"])]]) },
    );
    expect(alone.status).toMatchObject({
      members: [{ name: "x0", leftOut: expect.stringContaining("because of Stalled") }, { name: "x1" }, {}, {}, {}, {}, {}, {}, {}],
    });
  });

  it("goes on without an Adapter that was deleted, whose evaluation would wait for ever", () => {
    const evaluation = ours("parsers-m1");
    const outcome = at(status, { adapters: adaptersOf("x0", "x2"), evaluations: new Map([["parsers-m1", evaluation as never]]) });
    expect(outcome.status).toMatchObject({ evaluations: [{ state: "Failed" }, { adapters: ["x0", "x2"], state: "Planned" }] });
    expect(outcome.deletes).toEqual([]);
    const after = at(
      { ...status, ...outcome.status },
      { adapters: adaptersOf("x0", "x2"), evaluations: new Map([["parsers-m1", evaluation as never]]) },
    );
    expect(after.deletes).toEqual([evaluation]);
  });

  it("doesn't count what was measured on other tasks", () => {
    const evaluation = ours("parsers-m1", ["Succeeded"], { status: { taskSet: { ...taskSet, tasks: 7 }, arms: [] } });
    const { evaluations, members } = statusOf(at(status, { evaluations: new Map([["parsers-m1", evaluation as never]]) }));
    expect(evaluations).toMatchObject([{ state: "Failed" }]);
    expect(members).toMatchObject([0, 1, 2].map(() => ({ leftOut: expect.stringContaining("other tasks") })).concat(Array(6).fill({})));
  });

  it("blames no adapter for what is wrong with the tasks: no half is measured either", () => {
    const stalled = { type: "Stalled", status: "True", reason: "TaskSetMissing", message: "the registry has no rune/team/tasks@…" };
    const evaluation = ours("parsers-m1", [], { status: { conditions: [stalled] } });
    const { evaluations, members } = statusOf(at(status, { evaluations: new Map([["parsers-m1", evaluation as never]]) }));
    expect(evaluations).toMatchObject([{ state: "Failed", message: expect.stringContaining("TaskSetMissing") }]);
    expect(members).toMatchObject([0, 1, 2].map(() => ({ leftOut: expect.stringContaining("TaskSetMissing") })).concat(Array(6).fill({})));
  });

  it("begins nothing beyond the budget", () => {
    const spec = { budget: { evaluations: 1 } };
    const planned = { ...running, name: "parsers-m2", state: "Planned", uid: undefined };
    const generation = aGeneration({ spec, status: { ...unmeasured, evaluations: [{ ...running, state: "Measured" }, planned] } });
    const outcome = decideOn({ generation, adapters: adaptersOf(...names) });
    expect(outcome).toMatchObject({ creates: [], status: { exhausted: expect.stringContaining("spec.budget.evaluations") } });
  });

  it("fails where fewer than two could be measured", () => {
    const members = [aMember("a", 0.5), aMember("b", undefined, { leftOut: "it was deleted" })];
    expect(at({ ...begun, members, evaluations: [] })).toMatchObject({ kind: "failed", reason: "MembersUnmeasured" });
  });
});
