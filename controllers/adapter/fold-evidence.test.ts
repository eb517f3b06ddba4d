import type { Evidence } from "@rune/crds/contracts/evidence";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { adapter, digestOf } from "../testing/objects.ts";
import { foldEvidence } from "./fold-evidence.ts";

const name = "tessera-1111111111111111";
const subject = adapter(name);
const fold = (...pieces: Evidence[]) => foldEvidence(subject, pieces);

const day = (number: number) => `2026-02-${String(number).padStart(2, "0")}T00:00:00Z`;
const rate = (estimate: number) => ({ estimate, lower: estimate - 0.1, upper: estimate + 0.1 });
const about = { schema: "rune.dev/evidence/v1" as const, adapter: { name, digest: digestOf("1") } };
const by = (uid: string, kind: Evidence["by"]["kind"] = "EvolutionGeneration") => ({ kind, namespace: "default", name: `by-${uid}`, uid });
const project = { project: "tessera" };
const domain = { project: "tessera", domain: "parsing" };
const measured = (uid: string, time: string, estimate: number, more: object = {}): Evidence => ({
  kind: "Evaluation",
  ...about,
  by: by(uid, "Evaluation"),
  time,
  passAt1: rate(estimate),
  ...more,
});
const promoted = (uid: string, time: string, scope: object, tier: "Task" | "Domain" | "ProjectRoot" = "Domain"): Evidence => ({
  kind: "Promotion",
  ...about,
  by: by(uid),
  time,
  tier,
  scope,
  over: [],
  delta: rate(3),
});
const retired = (uid: string, time: string, scope: object): Evidence => ({
  kind: "Retirement",
  ...about,
  by: by(uid),
  time,
  scope,
  successor: { name: "tessera-2", digest: digestOf("2") },
});
const shelved = (kind: "Archival" | "Restoration", uid: string, time: string): Evidence => ({
  kind,
  ...about,
  by: by(uid, "Person"),
  time,
  why: "so",
});

it("an adapter of which nothing is known is at the lowest tier, nobody's champion, and not archived", () => {
  expect(fold()).toEqual({ tier: "Task", archived: false, fitness: undefined, evidence: undefined, champion: undefined, gate: undefined });
});

it("fitness and gate are what was decided last; of one second the larger UID counts", () => {
  const gate = (verdict: string) => ({ gate: { verdict } });
  const folded = fold(measured("a", day(2), 0.4, gate("Passed")), measured("b", day(2), 0.6), measured("c", day(1), 0.9, gate("Failed")));
  expect(folded).toMatchObject({
    fitness: { evaluationUID: "b", passAt1: { estimate: "0.600" } },
    gate: { verdict: "Passed", time: day(2) },
  });
  expect(fold(measured("x", "2026-02-01T00:00:00Z", 0.4), measured("a", "2026-02-01T00:00:00.5Z", 0.6)).fitness?.evaluationUID).toBe("a");
});

it("keeps the base's figure of the same tasks", () => {
  const taskSet = { digest: digestOf("a"), tasks: 48, scope: project };
  expect(fold(measured("a", day(1), 0.6, { taskSet, base: rate(0.3) })).evidence?.[0]).toMatchObject({
    base: { estimate: "0.300" },
    taskSet,
  });
});

it("a promotion raises the tier permanently, and makes a champion until that scope has another", () => {
  const both = [promoted("g1", day(1), domain), promoted("g2", day(2), project, "ProjectRoot")];
  expect(fold(...both)).toMatchObject({ tier: "ProjectRoot", champion: project });
  expect(fold(...both, retired("g3", day(3), project))).toMatchObject({ tier: "ProjectRoot", champion: domain });
  expect(fold(...both, retired("g0", day(1), project)).champion).toEqual(project);
  expect(fold(...both, retired("g3", day(3), project), retired("g4", day(4), domain)).champion).toBeUndefined();
  expect(fold(...both, retired("g3", day(3), project), promoted("g5", day(5), project)).champion).toEqual(project);
});

it("a control is never promoted", () => {
  const control = adapter(name, { spec: { control: true } });
  expect(foldEvidence(control, [promoted("g1", day(1), project)])).toMatchObject({ tier: "Task", champion: undefined });
});

it("is archived or brought back by the decision that came last", () => {
  const archival = shelved("Archival", "p1", day(1));
  const restoration = shelved("Restoration", "p2", day(2));
  expect(fold(archival).archived).toBe(true);
  expect(fold(archival, restoration).archived).toBe(false);
  expect(fold(archival, restoration, shelved("Archival", "p3", day(3))).archived).toBe(true);
});

it("what is about other weights, or was decided in another namespace, doesn't count", () => {
  const archival = shelved("Archival", "p1", day(1));
  expect(fold({ ...archival, adapter: { name, digest: digestOf("9") } }).archived).toBe(false);
  expect(fold({ ...archival, by: { ...archival.by, namespace: "other" } }).archived).toBe(false);
});

describe("whatever was decided", () => {
  const scopes = fc.constantFrom(project, domain, { ...domain, task: "t" });
  const times = fc.integer({ min: 1, max: 6 }).map(day);
  const uid = fc.constantFrom(..."abcdefgh");
  const taskSets = fc.constantFrom(..."abc").map((digit) => ({ digest: digestOf(digit), tasks: 48, scope: project }));
  const anyPiece: fc.Arbitrary<Evidence> = fc.oneof(
    fc
      .tuple(uid, times, fc.integer({ min: 0, max: 10 }), taskSets, fc.constantFrom("Passed", "Failed", undefined))
      .map(([id, time, tenths, taskSet, verdict]) => measured(id, time, tenths / 10, { taskSet, ...(verdict && { gate: { verdict } }) })),
    fc.tuple(uid, times, scopes, fc.constantFrom("Task", "Domain", "ProjectRoot")).map((given) => promoted(...given)),
    fc.tuple(uid, times, scopes).map((given) => retired(...given)),
    fc.tuple(fc.constantFrom("Archival", "Restoration"), uid, times).map((given) => shelved(...given)),
  );
  const history = fc.uniqueArray(anyPiece, { maxLength: 20, selector: ({ kind, by: { uid: id } }) => `${kind} ${id}` });

  it("the order in which it is read changes nothing", () => {
    fc.assert(
      fc.property(
        history.chain((pieces) => fc.tuple(fc.constant(pieces), fc.shuffledSubarray(pieces, { minLength: pieces.length }))),
        ([pieces, shuffled]) => {
          expect(fold(...shuffled)).toEqual(fold(...pieces));
        },
      ),
      { numRuns: 200 },
    );
  });

  it("nothing later than everything else is overruled, and no tier ever falls", () => {
    const order = ["Task", "Domain", "ProjectRoot"];
    fc.assert(
      fc.property(history, scopes, (pieces, scope) => {
        const last = fold(...pieces, promoted("z", day(7), scope), shelved("Archival", "z", day(7)), measured("z", day(7), 0.5));
        expect(last).toMatchObject({ champion: scope, archived: true, fitness: { evaluationUID: "z" } });
        expect(order.indexOf(last.tier)).toBeGreaterThanOrEqual(order.indexOf(fold(...pieces).tier));
      }),
      { numRuns: 200 },
    );
  });
});
