import { mediaType } from "@rune/crds/contracts/artifact";
import type { MeasuredTasks } from "@rune/crds/fields/measurement";
import { type Adapter, mostEvidence } from "@rune/crds/kinds/adapter";
import { nextStatus } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { found, subjectName as name, read, worldOf } from "../testing/adapter-world.ts";
import { adapter, condition, digestOf, evaluation, modelServer } from "../testing/objects.ts";
import { decide as decideWith, inUseFinalizer, mirrorLabels } from "./decide.ts";
import { piecesOf } from "./evidence.ts";
import { foldEvidence } from "./fold-evidence.ts";
import type { World } from "./world.ts";

const now = new Date("2026-03-01T00:00:00Z");
const decide = (world: World, at: Date) => decideWith(world, async () => {}, at);
const fresh = () => adapter(name, { status: undefined });

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
