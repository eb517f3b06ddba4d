import type { Evidence } from "@rune/crds/contracts/evidence";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { nextStatus } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { found, subjectName as name, read, worldOf } from "../testing/adapter-world.ts";
import { adapter, condition, digestOf, evaluation } from "../testing/objects.ts";
import { decide as decideWith, type Store } from "./decide.ts";
import { isDue as isDueBy } from "./evidence.ts";
import type { World } from "./world.ts";

const now = new Date("2026-03-01T00:00:00Z");
const stored: Evidence[] = [];
const store: Store = async (evidence) => void stored.push(evidence);
const decide = (world: World, at: Date) => decideWith(world, store, at);

describe("evidence", () => {
  const by = { kind: "Evaluation" as const, namespace: "default", name: "held-out", uid: "u1" };
  const about = { schema: "rune.dev/evidence/v1" as const, adapter: { name, digest: digestOf("1") } };
  const time = "2026-02-02T00:00:00Z";
  const rate = { estimate: 0.6, lower: 0.5, upper: 0.7 };
  const measured: Evidence = { kind: "Evaluation", ...about, by, time, passAt1: rate, gate: { verdict: "Failed" } };
  const person = { kind: "Person" as const, namespace: "default", name, uid: "0f1e2d3c4b5a6978" };
  const archival: Evidence = { kind: "Archival", ...about, by: person, time, why: "replaced" };
  const verified = { time: "2026-02-28T20:00:00Z", files: 2 };
  const knowing = (status: Partial<NonNullable<Adapter["status"]>> = {}, annotations?: Record<string, string>) =>
    adapter(name, {
      metadata: { annotations },
      status: {
        conditions: [condition("Ready")],
        verified,
        evidenceDigest: digestOf("d"),
        evidenceTime: "2026-02-28T23:00:00Z",
        ...status,
      },
    });
  const seen = { state: "VerifiedBefore" } as const;
  type Decisions = Parameters<typeof isDueBy>[3];
  const isDue = (of: Adapter, artifact: World["artifact"], evaluations: World["evaluations"], decisions: Decisions = []) =>
    isDueBy(of, artifact, evaluations, decisions);

  it("becomes status and labels, with the digest of what was read and when that began", () => {
    const outcome = decide(worldOf({ evidence: read(measured, archival) }), now);
    expect(outcome.status).toMatchObject({
      archived: true,
      fitness: { passAt1: { estimate: "0.600" }, evaluationUID: "u1" },
      gate: { verdict: "Failed", evaluation: "held-out", time },
      evidenceDigest: digestOf("d"),
      evidenceTime: "2026-02-28T23:59:00Z",
    });
    expect(outcome.applies[0]?.metadata.labels).toMatchObject({ "rune.dev/archived": "true" });
    expect(outcome.events).toEqual([]);
  });

  it("of another list replaces what status says: a champion that was retired is none any more", () => {
    const world = worldOf({ adapter: knowing({ champion: { project: "tessera" }, tier: "Domain" }), artifact: seen, evidence: read() });
    expect(nextStatus(world.adapter, decide(world, now), now)).not.toHaveProperty("champion");
  });

  it("that wasn't read, or can't be now, leaves what is known as it is; a reading that failed stays due", () => {
    const status = { archived: true, tier: "Domain" as const, champion: { project: "tessera" } };
    const world = worldOf({ adapter: knowing(status), artifact: seen });
    expect(nextStatus(world.adapter, decide(world, now), now)).toMatchObject({ ...status, evidenceTime: "2026-02-28T23:00:00Z" });
    const away = decide({ ...world, evidence: { state: "Unavailable", message: "refused" } }, now);
    const unread = nextStatus(world.adapter, away, now);
    expect(unread).toMatchObject(status);
    expect(unread?.evidenceTime).toBeUndefined();
    expect(away).toMatchObject({
      kind: "ready",
      requeueAfterSeconds: 300,
      message: expect.stringContaining("its evidence can't be read now"),
    });
  });

  it("of an evaluation that could not store it is taken from the evaluation, and of a deleted one from status", () => {
    const old = {
      passAt1: { estimate: "0.100", lower: "0.000", upper: "0.200" },
      evaluation: "old",
      evaluationUID: "u0",
      time: "2026-01-01T00:00:00Z",
    };
    const arms = [{ name: "new", serverRef: { name: "coder" }, adapter: name }];
    const lost = evaluation("lost", {
      metadata: { uid: "u2" },
      spec: { arms },
      status: {
        conditions: [condition("Succeeded", "True", "2026-02-03T00:00:00Z")],
        arms: [
          { name: "new", adapterDigest: digestOf("1"), completed: 5, total: 5, passAt1: { estimate: "0.900", lower: "0.8", upper: "1" } },
        ],
      },
    });
    const of = (evaluations: World["evaluations"], ...pieces: Evidence[]) =>
      decide(worldOf({ adapter: knowing({ fitness: old }), artifact: seen, evidence: read(...pieces), evaluations }), now).status;
    expect(of([])).toMatchObject({ fitness: old });
    expect(of([])).not.toMatchObject({ fitness: { stored: true } });
    expect(of([], measured)).toMatchObject({ fitness: { evaluation: "held-out" } });
    expect(of([lost], measured)).toMatchObject({ fitness: { evaluation: "lost" }, gate: { verdict: "Failed" } });
  });

  it("that was deleted from the registry is taken back by the next reading, in fitness and in what sessions choose by", () => {
    const taskSet = { digest: digestOf("a"), tasks: 48, scope: { project: "tessera" } };
    const piece = { ...measured, taskSet } as Evidence;
    const of = (status: object, ...pieces: Evidence[]) =>
      decide(worldOf({ adapter: knowing(status), artifact: seen, evidence: read(...pieces) }), now).status as NonNullable<
        Adapter["status"]
      >;
    const { fitness, evidence } = of({}, piece);
    expect([fitness, evidence?.[0]]).toMatchObject([{ stored: true }, { stored: true }]);
    expect(of({ fitness, evidence })).toMatchObject({ fitness: undefined, evidence: undefined });
    expect(of({ fitness, evidence }, piece)).toMatchObject({ fitness, evidence });
  });

  it("is read where it can have changed, and else not", () => {
    const ended = (at: string) => evaluation("e", { status: { conditions: [condition("Succeeded", "True", at)] } });
    const since = (at: string) => isDue(knowing(), seen, [ended(at)]);
    expect(isDue(knowing(), seen, [evaluation("running")])).toBe(false);
    expect([since("2026-02-28T22:59:59Z"), since("2026-02-28T23:00:00Z"), since("2026-02-28T23:10:00Z")]).toEqual([false, true, true]);
    expect(isDue(knowing(), found(), [])).toBe(true);
    expect(isDue(knowing(), { state: "Missing" }, [])).toBe(false);
    expect(isDue(knowing({ evidenceDigest: undefined }), seen, [])).toBe(true);
    expect(isDue(knowing({}, { "rune.dev/restore": "again" }), seen, [])).toBe(true);
  });

  it("is read once a generation has recorded a decision, though it hasn't ended, and not while it hasn't", () => {
    const recorded = (recordedTime?: string) => isDue(knowing(), seen, [], [{ recordedTime }]);
    expect([recorded(), recorded("2026-02-28T22:59:59Z"), recorded("2026-02-28T23:00:00Z")]).toEqual([false, false, true]);
  });

  const says = (annotations: Record<string, string>, ...pieces: Evidence[]) =>
    worldOf({ adapter: knowing({}, annotations), artifact: seen, evidence: read(...pieces) });

  it("by a person is stored before it counts, and then counts once", async () => {
    const world = says({ "rune.dev/archive": "replaced by tessera-2" });
    const outcome = decide(world, now);
    expect(outcome.requeueAtOnce).toBe(true);
    expect(outcome.status).toMatchObject({ archived: false, heard: undefined });
    await outcome.effects[0]?.run(new AbortController().signal);
    const [word] = stored.splice(0);
    expect(word).toMatchObject({ kind: "Archival", by: { kind: "Person", namespace: "default", name }, why: "replaced by tessera-2" });
    expect(word?.by.uid).toMatch(/^[0-9a-f]{16}$/);
    const after = decide(says({ "rune.dev/archive": "replaced by tessera-2" }, word as Evidence), now);
    expect(after).toMatchObject({ effects: [], requeueAtOnce: false, status: { archived: true, heard: { archive: word?.by.uid } } });
    expect(after.events).toEqual([{ type: "Normal", reason: "Archived", note: "a person said by annotation: replaced by tessera-2" }]);
    expect(isDue(knowing({ heard: { archive: word?.by.uid } }, { "rune.dev/archive": "replaced by tessera-2" }), seen, [])).toBe(false);
  });

  it("by a person who says nothing, or two things at once, isn't made; the status says what to do", () => {
    const empty = decide(says({ "rune.dev/restore": " " }), now);
    expect(empty).toMatchObject({
      effects: [],
      message: expect.stringContaining("rune.dev/restore is empty and does nothing; say why in it"),
    });
    const both = decide(says({ "rune.dev/archive": "a", "rune.dev/restore": "b" }), now);
    expect(both).toMatchObject({ effects: [], message: expect.stringContaining("neither was done; remove one of them") });
    const annotations = { "rune.dev/archive": "a", "rune.dev/restore": "b" };
    const { heard, unheard } = both.status as NonNullable<Adapter["status"]>;
    const later = knowing({ heard, unheard }, annotations);
    expect(isDue(later, seen, [])).toBe(false);
    expect(decide(worldOf({ adapter: later, artifact: seen }), now)).toMatchObject({ effects: [], message: both.message });
    expect(isDue(knowing({ heard, unheard }, { "rune.dev/archive": "a" }), seen, [])).toBe(true);
  });

  it("that doesn't verify is told of once it is read, and counts for nothing", () => {
    const ignored = [{ tag: "1111111111111111.evaluation.x", why: "its subject is unset" }];
    const outcome = decide(worldOf({ evidence: { ...read(), ignored } as World["evidence"] }), now);
    expect(outcome.events).toEqual([
      { type: "Warning", reason: "EvidenceIgnored", note: expect.stringContaining("1111111111111111.evaluation.x: its subject is unset") },
    ]);
  });

  it("tells who promoted it and who took its place", () => {
    const generation = { kind: "EvolutionGeneration" as const, namespace: "default", name: "parsers-g2", uid: "g2" };
    const scope = { project: "tessera" };
    const promotion: Evidence = { kind: "Promotion", ...about, by: generation, time, tier: "ProjectRoot", scope, over: [], delta: rate };
    const promoted = decide(worldOf({ adapter: knowing(), artifact: seen, evidence: read(promotion) }), now);
    expect(promoted.events).toMatchObject([
      { reason: "Promoted", note: "EvolutionGeneration parsers-g2: tier ProjectRoot, champion of tessera" },
    ]);
    const successor = { name: "tessera-2", digest: digestOf("2") };
    const retirement: Evidence = {
      kind: "Retirement",
      ...about,
      by: { ...generation, uid: "g3" },
      time: "2026-02-04T00:00:00Z",
      scope,
      successor,
    };
    const champion = knowing({ champion: scope, tier: "ProjectRoot" });
    const retired = decide(worldOf({ adapter: champion, artifact: seen, evidence: read(promotion, retirement) }), now);
    expect(retired.events).toMatchObject([
      { reason: "Retired", note: expect.stringContaining("tessera-2 is the champion of tessera now") },
    ]);
  });
});
