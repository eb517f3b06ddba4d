import { agentSession } from "@rune/crds/kinds/agent-session";
import { methodOf } from "@rune/crds/kinds/methods";
import { type TrainingRun, trainingRun } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import { nextStatus } from "kopf-ts";
import { describe, expect, it } from "vitest";
import { generatedName } from "../shared/names.ts";
import { aCondition, aRun, aSession, now } from "../testing/builders.ts";
import { config, digestOf } from "../testing/objects.ts";
import { aSessionWorld, logOf, servedBase } from "../testing/session-world.ts";
import { decide } from "./decide.ts";
import type { World } from "./world.ts";

/** Automatic learning after a session has ended. */
const hypernetwork = { run: "houses" };
const generates = { policy: "Generate" as const, hypernetwork };
const trains = { policy: "WhenSolved" as const };
const chosen = { reason: "NoneRelevant", message: "no memory" };
const startTime = "2026-11-23T11:59:00Z";

const sessionThat = (learn: object, status: object = {}, more: object = {}) =>
  aSession({ spec: { learn, ...more }, status: { startTime, adapter: chosen, epoch: 1, ...status } });
const runName = generatedName(aSession().metadata);
const decideOn = (over: Partial<World>, device: "CUDA" | "CPU" = "CUDA") =>
  decide(aSessionWorld(over), { ...config, engine: { ...config.engine, device } }, async () => {}, now);
const learnt = (outcome: ReturnType<typeof decideOn>) => outcome.conditions.find(({ type }) => type === ConditionType.Learnt);

describe("the ending of a session that learns by itself", () => {
  const ending = { outcome: "Solved" as const, reason: "Solved", message: "a program passed" };
  const seal = { repository: "rune/team/trajectories", digest: digestOf("a"), stored: true };
  const ended = { type: "ended" as const, n: 3, epoch: 1, time: "2026-11-23T11:59:30Z", outcome: "Solved" as const, message: "passed" };
  const over = (learn: object, more: Partial<World> = {}) =>
    decideOn({ session: sessionThat(learn), log: logOf(ended), ending, seal, ...more });

  it.each([trains, generates])("is told before anything is learnt, and names the run that is to come: %o", (learn) => {
    const outcome = over(learn);
    expect(outcome).toMatchObject({ kind: "succeeded", creates: [], status: { outcome: "Solved", trainingRun: runName } });
    expect(learnt(outcome)).toMatchObject({ status: "Unknown", reason: "LearningStarts" });
  });

  it("isn't kept from being told by a ModelServer that is gone; it says that nothing is learnt", () => {
    const outcome = over(trains, { server: undefined });
    expect(outcome).toMatchObject({ kind: "succeeded", creates: [] });
    expect(outcome.status).not.toHaveProperty("trainingRun");
    expect(learnt(outcome)).toMatchObject({ status: "False", reason: "ServerMissing" });
    expect(outcome.events).toContainEqual(expect.objectContaining({ type: "Warning", reason: "ServerMissing" }));
  });

  it("says that nothing is learnt where no program passed", () => {
    const outcome = over(generates, { ending: { outcome: "Exhausted", reason: "Exhausted", message: "m" } });
    expect(learnt(outcome)).toMatchObject({ status: "False", reason: "NotSolved" });
    expect(outcome.status).not.toHaveProperty("trainingRun");
  });

  it("says nothing of learning where none was asked for", () => {
    expect(learnt(over({ policy: "None" }))).toBeUndefined();
  });
});

/** A session that has ended, with this condition Learnt. */
function after(learn: object, reason = "LearningStarts", status: "True" | "False" | "Unknown" = "Unknown", more: object = {}) {
  const learning = { ...aCondition(ConditionType.Learnt, "True", reason), status, message: "" };
  const conditions = [aCondition("Succeeded"), aCondition("Ready"), learning];
  return sessionThat(learn, { outcome: "Solved", trainingRun: runName, conditions }, more);
}

function theRun(type?: string, over: { reason?: string; message?: string; adapter?: string } = {}): TrainingRun {
  const { reason = "R", message = "m", adapter } = over;
  const conditions = type ? [{ ...aCondition(type, "True", reason), message }] : [];
  const run = aRun({ status: { conditions, ...(adapter && { adapter }) } });
  return { ...run, metadata: { ...run.metadata, name: runName } };
}

describe("a session that has ended", () => {
  it("creates the run that generates: its own, on its trajectory alone, for its scope", () => {
    const { creates, kind } = decideOn({ session: after(generates) });
    expect(kind).toBe("unchanged");
    expect(creates).toMatchObject([
      {
        kind: "TrainingRun",
        metadata: {
          name: runName,
          labels: { "rune.dev/session": "fix-parser" },
          ownerReferences: [{ kind: "AgentSession", name: "fix-parser", controller: true }],
        },
      },
    ]);
    const spec = trainingRun.spec.parse(creates[0]?.spec);
    expect(methodOf({ spec })).toBe("generate");
    expect(spec).toMatchObject({
      generate: { hypernetwork, each: "Session", force: false },
      corpus: { sessionNames: ["fix-parser"] },
      output: { scope: { project: "tessera" } },
      resources: { gpus: 1 },
    });
  });

  it("creates the run that trains without an owner, and on CPUs without a GPU", () => {
    const [run] = decideOn({ session: after(trains) }, "CPU").creates;
    expect(run?.metadata).toEqual({ name: runName, namespace: "team", labels: { "rune.dev/session": "fix-parser" } });
    const spec = trainingRun.spec.parse(run?.spec);
    expect(spec).toMatchObject({ sft: { objective: "CrossEntropy" }, corpus: { sessionNames: ["fix-parser"] }, resources: {} });
  });

  it.each<[string, Partial<World>, string, string, RegExp]>([
    ["works", { learning: theRun() }, "Unknown", "Learning", /makes an Adapter/],
    ["has made an Adapter", { learning: theRun("Succeeded", { adapter: "a-1" }) }, "True", "AdapterMade", /made the Adapter a-1/],
    ["has failed", { learning: theRun("Failed", { reason: "Collapsed", message: "why" }) }, "False", "Collapsed", /failed: why/],
    ["is stalled", { learning: theRun("Stalled", { reason: "BaseMismatch" }) }, "False", "BaseMismatch", /is stalled: m/],
    ["was never created, its server being gone", { server: undefined }, "False", "ServerMissing", /is gone/],
  ])("says of a run that it %s, once", (_, world, status, reason, words) => {
    const session = after(generates);
    const outcome = decideOn({ session, ...world });
    expect(outcome).toMatchObject({ kind: "unchanged", creates: [], deletes: [] });
    expect(learnt(outcome)).toMatchObject({ status, reason, message: expect.stringMatching(words) });
    expect(outcome.events).toMatchObject([{ type: status === "False" ? "Warning" : "Normal", reason }]);
    const next = { ...session, status: nextStatus(session, outcome, now) as typeof session.status };
    expect(agentSession.status.safeParse(next.status).error).toBeUndefined();
    expect(next.status).toMatchObject({ outcome: "Solved", trainingRun: runName });
    const again = decideOn({ ...world, session: next });
    expect(again).toMatchObject({ kind: "unchanged", creates: [], conditions: [], events: [] });
  });

  it("makes no second run of one that was deleted while it worked, and says so", () => {
    const outcome = decideOn({ session: after(generates, "Learning") });
    expect(outcome.creates).toEqual([]);
    expect(learnt(outcome)).toMatchObject({ status: "False", reason: "RunDeleted" });
  });

  it("keeps the word on a run that failed and was deleted then", () => {
    expect(decideOn({ session: after(generates, "Collapsed", "False") })).toMatchObject({ kind: "unchanged", creates: [], conditions: [] });
  });

  it("hears of a run that goes on after having been stalled", () => {
    const session = after(generates, "RankTooLarge", "False");
    expect(learnt(decideOn({ session, learning: theRun() }))).toMatchObject({ status: "Unknown", reason: "Learning" });
  });

  it("whose adapter is there looks at nothing any more", () => {
    expect(decideOn({ session: after(generates, "AdapterMade", "True") })).toMatchObject({ creates: [], conditions: [] });
  });
});

describe("the time to live of a session that learns by itself", () => {
  const brief = { ttlSecondsAfterFinished: 0 };
  const deleted = (session: ReturnType<typeof after>, learning?: TrainingRun) => decideOn({ session, learning }).deletes.length > 0;

  it("doesn't end while it generates, because what is under way would go with it", () => {
    expect(deleted(after(generates, "LearningStarts", "Unknown", brief))).toBe(false);
    expect(deleted(after(generates, "Learning", "Unknown", brief), theRun())).toBe(false);
    expect(deleted(after(generates, "AdapterMade", "True", brief), theRun("Succeeded"))).toBe(true);
    expect(deleted(after(generates, "BaseMismatch", "False", brief), theRun("Stalled"))).toBe(true);
  });

  it("doesn't end before a training has frozen its corpus, which a stalled one does when it goes on", () => {
    const frozen = { corpus: { digest: digestOf("e"), count: 1, solved: 1, trajectories: [] } };
    const withCorpus = (run: TrainingRun): TrainingRun => ({ ...run, status: { ...run.status, ...frozen } as TrainingRun["status"] });
    expect(deleted(after(trains, "LearningStarts", "Unknown", brief))).toBe(false);
    expect(deleted(after(trains, "Learning", "Unknown", brief), theRun())).toBe(false);
    expect(deleted(after(trains, "RankTooLarge", "False", brief), theRun("Stalled"))).toBe(false);
    expect(deleted(after(trains, "Learning", "Unknown", brief), withCorpus(theRun()))).toBe(true);
    expect(deleted(after(trains, "BaseMismatch", "False", brief), theRun("Failed"))).toBe(true);
    expect(deleted(after(trains, "RunDeleted", "False", brief))).toBe(true);
  });
});

describe("a hypernetwork that can't serve", () => {
  const houses = (over: { spec?: object; status?: object } = {}) =>
    aRun({ spec: { sft: undefined, hypernetwork: {}, ...over.spec }, status: { baseDigest: servedBase, ...over.status } });
  const begins = (hypernetworkRun: TrainingRun | undefined, learn: object = generates) =>
    decideOn({ session: aSession({ spec: { learn } }), hypernetworkRun });

  it.each<[string, TrainingRun, string]>([
    ["is of another base", houses({ status: { baseDigest: digestOf("9") } }), "BaseMismatch"],
    ["has failed", houses({ status: { conditions: [aCondition("Failed")] } }), "RunFailed"],
    ["has collapsed", houses({ status: { conditions: [aCondition("Succeeded"), aCondition("ModeCollapse")] } }), "ModeCollapse"],
    ["is none", aRun(), "NotAHypernetwork"],
  ])("because it %s stalls the session before any work, in words", (_, run, reason) => {
    const outcome = begins(run);
    expect(outcome).toMatchObject({ kind: "stalled", reason, creates: [] });
    expect(outcome.message).toMatch(/^spec\.learn\.hypernetwork: .*; name another one in a new session$/);
  });

  it("because it is another namespace's stalls it as well", () => {
    const artifact = { repository: "rune/other/hypernetworks", digest: digestOf("7") };
    expect(begins(undefined, { policy: "Generate", hypernetwork: artifact })).toMatchObject({
      kind: "stalled",
      reason: "ForeignRepository",
    });
  });

  it.each([undefined, houses(), houses({ status: { baseDigest: undefined } })])(
    "yet, because it isn't there or trained, doesn't",
    (run) => {
      expect(begins(run)).toMatchObject({ reason: "AdapterChosen" });
    },
  );

  it("doesn't interrupt a session that has begun", () => {
    expect(decideOn({ session: sessionThat(generates), hypernetworkRun: aRun() }).kind).not.toBe("stalled");
  });
});
