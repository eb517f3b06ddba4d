import { evidenceTag } from "@rune/clients/registry/evidence";
import type { AdapterConfig } from "@rune/crds/contracts/artifact";
import { mediaType } from "@rune/crds/contracts/artifact";
import type { Evidence } from "@rune/crds/contracts/evidence";
import type { MeasuredTasks } from "@rune/crds/fields/measurement";
import { type Adapter, mostEvidence } from "@rune/crds/kinds/adapter";
import { nextStatus } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { adapter, baseDigest, condition, digestOf, evaluation, modelServer } from "../testing/objects.ts";
import { decide as decideWith, inUseFinalizer, mirrorLabels, type Store } from "./decide.ts";
import { isDue as isDueBy, piecesOf } from "./evidence.ts";
import { foldEvidence } from "./fold-evidence.ts";
import type { World } from "./world.ts";

const now = new Date("2026-03-01T00:00:00Z");
const name = "tessera-1111111111111111";
const stored: Evidence[] = [];
const store: Store = async (evidence) => void stored.push(evidence);
const decide = (world: World, at: Date) => decideWith(world, store, at);
const fresh = () => adapter(name, { status: undefined });

const adapterConfig: AdapterConfig = {
  schema: "rune.dev/adapter/v1",
  base: { name: "coder", digest: baseDigest },
  rank: 16,
  alpha: 32,
  targetModules: ["q_proj"],
  scope: { project: "tessera" },
  source: { kind: "Import" },
  parents: [],
  generation: 0,
  files: {},
};
const found = (change: Partial<AdapterConfig> = {}, more: object = {}): World["artifact"] => ({
  state: "Found",
  artifactType: mediaType.adapter,
  config: { ...adapterConfig, ...change },
  sizeBytes: 100,
  files: 2,
  ...more,
});
const worldOf = (more: Partial<World> = {}): World => ({
  adapter: fresh(),
  artifact: found(),
  evidence: { state: "NotRead" },
  servers: [],
  evaluations: [],
  claims: [],
  namespaceTerminating: false,
  ...more,
});
/** The registry's evidence, read a minute ago. */
const read = (...pieces: Evidence[]): World["evidence"] => ({
  state: "Read",
  time: "2026-02-28T23:59:00Z",
  digest: digestOf("d"),
  evidence: pieces.map((evidence) => ({
    tag: evidenceTag(evidence.adapter.digest, evidence.kind, evidence.by.uid),
    digest: digestOf("e"),
    evidence,
  })),
  ignored: [],
});
function told(world: World): Record<string, [string, string]> {
  const status = nextStatus(world.adapter, decide(world, now), now);
  return Object.fromEntries(
    ((status?.conditions ?? []) as { type: string; status: string; reason: string }[]).map(({ type, status, reason }) => [
      type,
      [status, reason],
    ]),
  );
}
const holding = (engines: number, digest = digestOf("1")) =>
  modelServer("coder", { status: { adapters: [{ name, digest, state: engines > 0 ? "Loaded" : "Pending", engines }] } });

describe("verification", () => {
  it("makes an Adapter Ready, at the lowest tier", () => {
    expect(told(worldOf())).toEqual({ Ready: ["True", "Ready"] });
    expect(decide(worldOf(), now).status).toMatchObject({
      tier: "Task",
      archived: false,
      verified: { time: "2026-03-01T00:00:00Z", files: 2 },
      holders: { engines: 0, servers: [] },
    });
  });

  it.each([
    ["is missing", { state: "Missing", message: "no such manifest" }, "ArtifactMissing", "Reconciling"],
    ["has another digest", { state: "Mismatched", message: "other bytes" }, "DigestMismatch", "Stalled"],
    ["can't be asked for now", { state: "Unavailable", message: "refused" }, "RegistryUnavailable", "Reconciling"],
    ["is something else", found({}, { artifactType: mediaType.model }), "NotAnAdapter", "Stalled"],
    ["has no config of ours", found({}, { config: undefined }), "NotAnAdapter", "Stalled"],
  ] as [string, World["artifact"], string, string][])("says that the artifact %s", (_what, artifact, reason, type) => {
    const conditions = told(worldOf({ artifact }));
    expect(conditions.Ready).toEqual(["False", reason]);
    expect(conditions[type]).toEqual(["True", reason]);
  });

  it("is stalled on an artifact of another namespace, whatever the registry says", () => {
    const artifact = { repository: "rune/other/adapters", digest: digestOf("1"), sizeBytes: 100 };
    const foreign = adapter(name, { spec: { artifact } });
    for (const state of [found(), { state: "Unavailable", message: "refused" }, { state: "VerifiedBefore" }] as World["artifact"][])
      expect(decide(worldOf({ adapter: foreign, artifact: state }), now)).toMatchObject({ kind: "stalled", reason: "ForeignRepository" });
  });

  it.each([
    ["base", { base: { name: "coder", digest: digestOf("c") } }],
    ["rank", { rank: 8 }],
    ["alpha", { alpha: 16 }],
    ["targetModules", { targetModules: ["q_proj", "v_proj"] }],
    ["scope", { scope: { project: "other" } }],
    ["source", { source: { kind: "TrainingRun" as const, name: "r", uid: "u" } }],
    ["parents", { parents: [{ name: "p", digest: digestOf("2") }] }],
    ["generation", { generation: 1 }],
    ["control", { control: true as const }],
  ])("is stalled when the spec and the artifact disagree on %s, and names it", (field, change) => {
    const outcome = decide(worldOf({ artifact: found(change) }), now);
    expect(outcome).toMatchObject({ kind: "stalled", reason: "SpecDiffersFromArtifact" });
    expect(outcome.message).toContain(`spec.${field} is`);
  });

  it("is stalled when a control adapter's spec says that it is one and the artifact doesn't, and Ready when both do", () => {
    const control = adapter(name, { spec: { control: true }, status: undefined });
    expect(decide(worldOf({ adapter: control }), now).message).toContain("spec.control is true, but");
    expect(decide(worldOf({ adapter: control }), now).message).toContain("says unset");
    expect(decide(worldOf({ adapter: control, artifact: found({ control: true }) }), now).kind).toBe("ready");
  });

  it("doesn't care in which order modules are listed", () => {
    const listed = adapter(name, { spec: { targetModules: ["v_proj", "q_proj"] }, status: undefined });
    expect(decide(worldOf({ adapter: listed, artifact: found({ targetModules: ["q_proj", "v_proj"] }) }), now).kind).toBe("ready");
  });

  it("compares the size of the layers", () => {
    expect(decide(worldOf({ artifact: found({}, { sizeBytes: 99 }) }), now).message).toContain("spec.artifact.sizeBytes is 100");
  });

  it("once done isn't lost because the registry is unavailable for a while", () => {
    const verified = { time: "2026-02-01T00:00:00Z", files: 2 };
    const before = adapter(name, { status: { conditions: [condition("Ready")], verified } });
    const outcome = decide(worldOf({ adapter: before, artifact: { state: "Unavailable", message: "refused" } }), now);
    expect(outcome).toMatchObject({ kind: "ready", status: { verified } });
    expect(outcome.message).toContain("the registry is unavailable");
  });

  it("is refused to an artifact one of whose files is gone, and says which", () => {
    const world = worldOf({ artifact: { state: "Missing", file: "adapter_model.safetensors" } });
    expect(told(world).Ready).toEqual(["False", "ArtifactMissing"]);
    expect(decide(world, now).message).toContain("the registry has no adapter_model.safetensors of rune/default/adapters@");
  });

  it("is lost when the registry says that the artifact is gone", () => {
    const before = adapter(name, { status: { conditions: [condition("Ready")] } });
    expect(decide(worldOf({ adapter: before, artifact: { state: "Missing" } }), now).reason).toBe("ArtifactMissing");
  });
});

describe("status", () => {
  it("counts engines and names servers that hold this very digest", () => {
    expect(decide(worldOf({ servers: [holding(2)] }), now).status).toMatchObject({ holders: { engines: 2, servers: ["coder"] } });
    expect(decide(worldOf({ servers: [holding(2, digestOf("9"))] }), now).status).toMatchObject({ holders: { engines: 0 } });
  });

  type More = { ended?: boolean; digest?: string; taskSet?: MeasuredTasks; arm?: object };
  const measured = (evaluationName: string, time: string, estimate: string, more: More = {}) =>
    evaluation(evaluationName, {
      spec: { arms: [{ name: "new", serverRef: { name: "coder" }, ...(more.arm ?? { adapter: name }) }] },
      status: {
        conditions: more.ended === false ? [] : [condition("Succeeded", "True", time)],
        ...(more.taskSet && { taskSet: more.taskSet }),
        arms: [
          {
            name: "new",
            adapterDigest: more.digest ?? digestOf("1"),
            completed: 5,
            total: 5,
            passAt1: { estimate, lower: "0.1", upper: "0.9" },
          },
        ],
      },
    });

  /** The fold where the registry has no evidence. */
  const foldOf = ({ adapter: of, evaluations }: Pick<World, "adapter" | "evaluations">) => foldEvidence(of, piecesOf(of, [], evaluations));
  const newestFitness = (measuredBy: Pick<World, "adapter" | "evaluations">) => foldOf(measuredBy).fitness;
  const evidenceOf = (measuredBy: Pick<World, "adapter" | "evaluations">) => foldOf(measuredBy).evidence ?? [];

  it("takes fitness from the evaluation that ended last, and from none that hasn't or that measured other bytes", () => {
    const evaluations = [
      measured("second", "2026-02-02T00:00:00Z", "0.6"),
      measured("first", "2026-02-01T00:00:00Z", "0.5"),
      measured("running", "2026-02-03T00:00:00Z", "0.9", { ended: false }),
      measured("other", "2026-02-04T00:00:00Z", "0.9", { digest: digestOf("9") }),
    ];
    expect(newestFitness({ adapter: fresh(), evaluations })).toMatchObject({
      evaluation: "second",
      passAt1: { estimate: "0.600" },
      time: "2026-02-02T00:00:00Z",
    });
  });

  it("takes none from an arm that has an adapter for each task, or is told something beside: that measures more than these weights", () => {
    const context = { artifact: { repository: "rune/default/trajectories", digest: digestOf("c") } };
    const evaluations = [
      measured("each", "2026-02-01T00:00:00Z", "0.5", { arm: { adapters: { matchLabels: { by: "generator" } } } }),
      measured("told", "2026-02-02T00:00:00Z", "0.6", { arm: { adapter: name, context } }),
    ];
    expect(newestFitness({ adapter: fresh(), evaluations })).toBeUndefined();
  });

  it("keeps a fitness whose evaluation was deleted", () => {
    const fitness = {
      passAt1: { estimate: "0.600", lower: "0.500", upper: "0.700" },
      evaluation: "gone",
      evaluationUID: "u",
      time: "2026-02-02T00:00:00Z",
    };
    const before = adapter(name, { status: { fitness } });
    expect(newestFitness({ adapter: before, evaluations: [measured("older", "2026-02-01T00:00:00Z", "0.1")] })).toEqual(fitness);
  });

  const own = { digest: digestOf("a"), tasks: 48, scope: { project: "tessera" } };
  const day = (number: number) => `2026-02-${String(number).padStart(2, "0")}T00:00:00Z`;

  it("names the tasks that fitness was measured on", () => {
    expect(newestFitness({ adapter: fresh(), evaluations: [measured("m", day(1), "0.6", { taskSet: own })] })?.taskSet).toEqual(own);
    expect(newestFitness({ adapter: fresh(), evaluations: [measured("m", day(1), "0.6")] })).not.toHaveProperty("taskSet");
  });

  it("keeps the newest evidence for each task set of the adapter's project, so that no other set pushes it out", () => {
    const evaluations = [
      measured("first", day(1), "0.5", { taskSet: own }),
      measured("second", day(2), "0.6", { taskSet: own }),
      measured("domain", day(3), "0.7", { taskSet: { ...own, digest: digestOf("d"), scope: { project: "tessera", domain: "x" } } }),
      measured("part", day(4), "0.9", { taskSet: { ...own, tasks: 3, seed: 7 } }),
      measured("foreign", day(5), "1.0", { taskSet: { ...own, digest: digestOf("f"), scope: { project: "other" } } }),
      measured("nobodys", day(6), "1.0", { taskSet: { digest: digestOf("e"), tasks: 164 } }),
      measured("old", day(7), "1.0"),
    ];
    const world = worldOf({ evaluations, evidence: read() });
    expect(evidenceOf(world).map(({ evaluation }) => evaluation)).toEqual(["part", "domain", "second"]);
    expect(decide(world, now).status).toMatchObject({ fitness: { evaluation: "old" }, evidence: evidenceOf(world) });
  });

  it("keeps evidence whose evaluation was deleted, and no more of it than fits", () => {
    const taskSets = Array.from({ length: mostEvidence + 1 }, (_, index) => ({
      ...own,
      digest: `sha256:${String(index).padStart(64, "0")}`,
    }));
    const evaluations = taskSets.map((taskSet, index) => measured(`m${index}`, day(index + 1), "0.5", { taskSet }));
    const status = { evidence: evidenceOf({ adapter: fresh(), evaluations }) } satisfies Adapter["status"];
    expect(status.evidence.map(({ evaluation }) => evaluation)).not.toContain("m0");
    expect(status.evidence).toHaveLength(mostEvidence);
    expect(evidenceOf({ adapter: adapter(name, { status }), evaluations: [] })).toEqual(status.evidence);
  });

  it("keeps no evidence for an adapter without a project, which no session chooses by itself", () => {
    const nobodys = adapter(name, { spec: { scope: {} } });
    expect(evidenceOf({ adapter: nobodys, evaluations: [measured("m", day(1), "0.5", { taskSet: { ...own, scope: {} } })] })).toEqual([]);
  });
});

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

describe("labels", () => {
  it("mirror tier, archive and scope, and are written only when they differ", () => {
    const outcome = decide(worldOf(), now);
    expect(outcome.applies[0]?.metadata).toMatchObject({
      name,
      uid: `uid-of-${name}`,
      labels: { "rune.dev/tier": "Task", "rune.dev/archived": "false", "rune.dev/project": "tessera" },
    });
    const labelled = adapter(name, { metadata: { labels: mirrorLabels(fresh(), {}) } });
    expect(decide(worldOf({ adapter: labelled }), now).applies).toEqual([]);
  });

  it("leave out a project that can't be a label value", () => {
    expect(mirrorLabels(adapter(name, { spec: { scope: { project: "a project/with more" } } }), {})).not.toHaveProperty("rune.dev/project");
  });
});

describe("deletion", () => {
  const leaving = (at: string) => adapter(name, { metadata: { deletionTimestamp: at, finalizers: [inUseFinalizer] } });
  const keeps = (more: Partial<World>) =>
    decide(worldOf({ artifact: { state: "VerifiedBefore" }, adapter: leaving("2026-02-28T23:59:00Z"), ...more }), now).finalizers[
      inUseFinalizer
    ] !== false;

  it("waits while an engine holds the adapter or an object that hasn't ended claims it", () => {
    expect(keeps({ servers: [holding(1)] })).toBe(true);
    expect(keeps({ claims: ["AgentSession s"] })).toBe(true);
    expect(keeps({ servers: [holding(0)] })).toBe(false);
  });

  it("waits ten minutes at most", () => {
    expect(keeps({ claims: ["AgentSession s"], adapter: leaving("2026-02-28T23:50:00Z") })).toBe(false);
  });

  it("doesn't wait in a namespace that is going", () => {
    expect(keeps({ claims: ["AgentSession s"], namespaceTerminating: true })).toBe(false);
  });

  it("says who it waits for", () => {
    const outcome = decide(worldOf({ adapter: leaving("2026-02-28T23:59:00Z"), claims: ["AgentSession s"], servers: [holding(1)] }), now);
    expect(outcome.conditions[0]).toMatchObject({
      type: "Deleting",
      reason: "InUse",
      message: expect.stringContaining("AgentSession s, ModelServer coder"),
    });
  });

  it("is guarded only while the adapter is in use", () => {
    expect(decide(worldOf(), now).finalizers).toEqual({ [inUseFinalizer]: false });
    expect(decide(worldOf({ servers: [holding(1)] }), now).finalizers).toEqual({ [inUseFinalizer]: true });
  });
});
