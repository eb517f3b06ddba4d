import { evidence } from "@rune/crds/contracts/evidence";
import { describe, expect, it } from "vitest";
import { digestOf, evaluation } from "../testing/objects.ts";
import { measuredAlone } from "./measurements.ts";

const time = "2026-03-01T00:00:00Z";
const rate = (estimate: string) => ({ estimate, lower: "0.100", upper: "0.900" });
const ran = (name: string, estimate: string | undefined, digest?: string) => ({
  name,
  completed: 5,
  total: 5,
  ...(digest && { adapterDigest: digestOf(digest) }),
  ...(estimate && { passAt1: rate(estimate) }),
});
const on = (name: string, more: object = {}, server = "coder") => ({ name, serverRef: { name: server }, ...more });
const taskSet = { digest: digestOf("f"), tasks: 48 };
const report = { repository: "rune/default/reports", digest: digestOf("e") };

type Spec = Parameters<typeof evaluation>[1] extends { spec?: infer Given } | undefined ? Given : never;
const of = (spec: Spec, arms: ReturnType<typeof ran>[], more: object = {}) =>
  measuredAlone(evaluation("held-out", { spec, status: { arms, taskSet, report, ...more } }), time);
const delta = { estimate: "30.0", lower: "10.0", upper: "50.0" };

it("an evaluation says of each adapter what it measured, on which tasks, beside the base, and what the gate said", () => {
  const spec = {
    arms: [on("base"), on("new", { adapter: "a-1" }), on("old", { adapter: "b-2" })],
    gate: { candidate: "new", baseline: "base" },
  };
  const pieces = of(spec, [ran("base", "0.200"), ran("new", "0.500", "1"), ran("old", "0.300", "2")], { verdict: "Failed", delta });
  expect(pieces.map((piece) => evidence.parse(piece))).toEqual(pieces);
  expect(pieces.toSorted((a, b) => a.adapter.name.localeCompare(b.adapter.name))).toEqual([
    {
      schema: "rune.dev/evidence/v1",
      kind: "Evaluation",
      adapter: { name: "a-1", digest: digestOf("1") },
      by: { kind: "Evaluation", namespace: "default", name: "held-out", uid: "uid-of-held-out" },
      time,
      passAt1: { estimate: 0.5, lower: 0.1, upper: 0.9 },
      taskSet,
      base: { estimate: 0.2, lower: 0.1, upper: 0.9 },
      gate: { verdict: "Failed", delta: { estimate: 30, lower: 10, upper: 50 } },
      report,
    },
    expect.not.objectContaining({ gate: expect.anything() }),
  ]);
});

describe("an evaluation says nothing of an adapter", () => {
  it.each([
    ["beside which something was told", on("x", { adapter: "a-1", context: { artifact: report } }), ran("x", "0.5", "1")],
    ["that only answered some of the tasks", on("x", { adapters: { matchLabels: { by: "h" } } }), ran("x", "0.5")],
    ["whose arm has no figure", on("x", { adapter: "a-1" }), ran("x", undefined, "1")],
  ])("%s", (_, arm, result) => {
    expect(of({ arms: [arm] }, [result])).toEqual([]);
  });
});

it("an evaluation that allows tasks that adapters have learnt from says nothing of them", () => {
  const arms = [on("base"), on("new", { adapter: "a-1" })];
  const results = [ran("base", "0.200"), ran("new", "0.500", "1")];
  expect(of({ arms, seenTasks: "Refuse" }, results)).toHaveLength(1);
  expect(of({ arms, seenTasks: "Allow" }, results)).toEqual([]);
});

it("of an adapter in two arms the gate's candidate speaks, else the first", () => {
  const arms = [on("one", { adapter: "a-1" }), on("two", { adapter: "a-1" }), on("base")];
  const results = [ran("one", "0.400", "1"), ran("two", "0.600", "1"), ran("base", "0.100")];
  expect(of({ arms }, results)).toMatchObject([{ passAt1: { estimate: 0.4 } }]);
  const gate = { candidate: "two", baseline: "base" };
  expect(of({ arms, gate }, results, { verdict: "Passed", delta })).toMatchObject([
    { passAt1: { estimate: 0.6 }, gate: { verdict: "Passed" } },
  ]);
});

it("a gate between the same weights on two servers is none of the adapter's", () => {
  const arms = [on("nf4", { adapter: "a-1" }, "small"), on("bf16", { adapter: "a-1" }, "large")];
  const pieces = of({ arms, gate: { candidate: "nf4", baseline: "bf16" } }, [ran("nf4", "0.400", "1"), ran("bf16", "0.500", "1")], {
    verdict: "Failed",
  });
  expect(pieces).toHaveLength(1);
  expect(pieces[0]).not.toHaveProperty("gate");
});

it("the base of another server is no base for it", () => {
  const arms = [on("base", {}, "other"), on("new", { adapter: "a-1" })];
  expect(of({ arms }, [ran("base", "0.2"), ran("new", "0.5", "1")])[0]).not.toHaveProperty("base");
});
