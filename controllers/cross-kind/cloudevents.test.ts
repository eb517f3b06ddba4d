import { type CloudEvent, cloudEvent, eventSubject } from "@rune/crds/contracts/cloudevents";
import type { Evidence } from "@rune/crds/contracts/evidence";
import { describe, expect, it } from "vitest";
import { eventsOf as ofAdapter } from "../adapter/cloudevents.ts";
import { eventsOf as ofSession } from "../agent-session/cloudevents.ts";
import { eventsOf as ofEvaluation } from "../evaluation/cloudevents.ts";
import { eventsOf as ofGeneration } from "../evolution-generation/cloudevents.ts";
import { aCondition, anEvaluation, aRun, aSession } from "../testing/builders.ts";
import { aGeneration, interval } from "../testing/evolution-world.ts";
import { adapter, digestOf } from "../testing/objects.ts";
import { eventsOf as ofRun } from "../training-run/cloudevents.ts";

/** The events of each kind about an ended object or about evidence: they match the contract, and there are no others. */

const succeeded = (reason: string) => [aCondition("Ready"), aCondition("Succeeded", "True", reason)];
const failed = (reason: string) => [aCondition("Ready", "False"), aCondition("Failed", "True", reason)];
const reference = { repository: "rune/team/adapters", digest: digestOf("a") };
const result = { ...reference, sizeBytes: 1 };
const gate = { candidate: "adapter", baseline: "base" };

const session = aSession({
  status: {
    conditions: succeeded("Solved"),
    outcome: "Solved",
    adapter: { name: "tessera-1", digest: digestOf("1"), reason: "MostRelevant", message: "fits" },
    rounds: 2,
    programs: 5,
    trajectory: { repository: "rune/team/trajectories", digest: digestOf("e") },
  },
});
const run = aRun({ status: { conditions: succeeded("AdapterCreated"), result, adapter: "tessera-2" } });
const evaluation = anEvaluation({
  spec: { gate },
  status: {
    conditions: succeeded("Measured"),
    verdict: "Passed",
    delta: { estimate: "12.0", lower: "6.1", upper: "17.9" },
    arms: [{ name: "adapter", adapterDigest: digestOf("1"), completed: 1, total: 1 }],
    report: reference,
  },
});
const generation = aGeneration({
  spec: { generation: 2 },
  status: {
    conditions: succeeded("NoImprovement"),
    promoted: "parsers-2",
    retired: "parsers-1",
    archived: 3,
    best: { adapter: "parsers-2", taskSet: { digest: digestOf("c"), tasks: 1 }, passAt1: interval(0.5) },
  },
});

const weights = { name: "tessera-1111111111111111", digest: digestOf("1") };
const about = { schema: "rune.dev/evidence/v1" as const, adapter: weights, time: "2026-02-01T00:00:00Z" };
const by = (uid: string, namespace = "default") => ({ kind: "EvolutionGeneration" as const, namespace, name: "parsers", uid });
const scope = { project: "tessera" };
const promotion: Evidence = {
  ...about,
  kind: "Promotion",
  by: by("g1"),
  tier: "Domain",
  scope,
  over: [],
  delta: { estimate: 3, lower: 1, upper: 5 },
};
const retirement: Evidence = { ...about, kind: "Retirement", by: by("g2"), scope, successor: { name: "tessera-2", digest: digestOf("2") } };
const archival: Evidence = { ...about, kind: "Archival", by: by("g3"), why: "below the base" };
const restoration: Evidence = { ...about, kind: "Restoration", by: { ...by("p1"), kind: "Person" }, why: "needed" };
const measured: Evidence = {
  ...about,
  kind: "Evaluation",
  by: { ...by("e1"), kind: "Evaluation" },
  passAt1: { estimate: 0.5, lower: 0.4, upper: 0.6 },
};

const withEvidence = (pieces: readonly Evidence[], subject = adapter(weights.name)) => {
  const evidence = pieces.map((each) => ({ digest: digestOf("5"), tag: "t", evidence: each }));
  const read = { state: "Read" as const, time: "2026-02-01T00:00:01Z", digest: digestOf("6"), evidence, ignored: [] };
  return ofAdapter({ adapter: subject, evidence: read });
};

const all: CloudEvent[] = [
  ...ofSession(session),
  ...ofRun(run),
  ...ofEvaluation(evaluation),
  ...ofGeneration(generation),
  ...withEvidence([promotion, retirement, archival, restoration, measured]),
];

describe("what is told", () => {
  it("is every type of the contract, and agrees with it without a field more", () => {
    const types = cloudEvent.options.map(({ shape }) => shape.type.value);
    expect(all.map(({ type }) => type).sort()).toEqual(types.sort());
    for (const event of all) expect(cloudEvent.parse(event)).toEqual(event);
  });

  it("has an id and a subject of its own for each", () => {
    expect(new Set(all.map(({ id }) => id)).size).toBe(all.length);
    expect(all.map(eventSubject).sort()).toEqual([
      "rune.events.default.adapter.archived",
      "rune.events.default.adapter.promoted",
      "rune.events.default.adapter.restored",
      "rune.events.default.adapter.retired",
      "rune.events.team.agentsession.ended",
      "rune.events.team.evaluation.decided",
      "rune.events.team.evolutiongeneration.ended",
      "rune.events.team.trainingrun.produced",
    ]);
  });

  it("is the same however often it is asked for", () => {
    expect([...ofSession(session), ...ofRun(run)]).toEqual(all.slice(0, 2));
  });

  it("has the time of the ending, or of the decision", () => {
    expect(all.map(({ time }) => time)).toEqual([...Array(4).fill("2026-11-23T11:30:00Z"), ...Array(4).fill(about.time)]);
  });
});

describe("nothing is told", () => {
  it("of what goes on", () => {
    expect(ofSession(aSession({ status: { conditions: [aCondition("Ready", "False")], outcome: "Solved" } }))).toEqual([]);
    expect(ofRun(aRun({ status: { conditions: [aCondition("Ready", "False")], result, adapter: "tessera-2" } }))).toEqual([]);
  });

  it("of a run that failed or made no Adapter, and of an evaluation without a gate", () => {
    expect(ofRun(aRun({ status: { conditions: failed("DeadlineExceeded") } }))).toEqual([]);
    expect(ofRun(aRun({ status: { conditions: succeeded("HypernetworkStored"), result } }))).toEqual([]);
    expect(ofEvaluation(anEvaluation({ status: { conditions: succeeded("Measured"), verdict: "Passed" } }))).toEqual([]);
  });

  it("of the words of a session", () => {
    const { description, tests } = session.spec.task;
    const told = JSON.stringify(ofSession(session));
    for (const text of [description, tests, "fits"]) expect(told).not.toContain(text);
  });

  it("of what another namespace decided, of what an Adapter brought along, and of a control that was promoted", () => {
    expect(withEvidence([{ ...promotion, by: by("g1", "other") }])).toEqual([]);
    const metadata = { creationTimestamp: "2026-02-01T00:00:01Z" };
    expect(withEvidence([promotion, archival], adapter(weights.name, { metadata }))).toEqual([]);
    expect(withEvidence([promotion], adapter(weights.name, { spec: { control: true } }))).toEqual([]);
  });
});

it("a session that failed before it began is told of without an outcome", () => {
  const [event] = ofSession(aSession({ status: { conditions: failed("AdapterMissing") } }));
  expect(event).toMatchObject({ data: { result: "Failed", reason: "AdapterMissing", rounds: 0 } });
  expect(event?.data).not.toHaveProperty("outcome");
});

it("a run with many Adapters is told of once, with their number", () => {
  const status = { conditions: succeeded("AdapterCreated"), result, adapters: { created: 45, total: 45 } };
  expect(ofRun(aRun({ status }))).toMatchObject([{ data: { adapters: 45, artifact: reference } }]);
});
