import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { SessionReason } from "../../controllers/agent-session/reasons.ts";
import { CheckReason } from "../../controllers/environment-check/reasons.ts";
import { EvaluationReason } from "../../controllers/evaluation/reasons.ts";
import { GenerationReason } from "../../controllers/evolution-generation/reasons.ts";
import { Reason } from "../../controllers/shared/reasons.ts";
import { RunReason } from "../../controllers/training-run/reasons.ts";
import { apiVersion } from "../../crds/words/group.ts";
import { failed, nextStatus, type Outcome, progressing, ready, stalled, succeeded, unchanged, waiting } from "../../kopf-ts/src/index.ts";

/*
 * Every kind in the states of a run, with the framework's conditions for its controller's decisions. `node
 * test/kstatus/states.ts` writes them one per line, for kstatus's own library and for the Lua of examples/plan/argocd
 * to judge (kstatus_test.go).
 */

export type Means = "InProgress" | "Current" | "Failed";
export type Health = "Progressing" | "Healthy" | "Degraded" | "Suspended";

export interface State {
  readonly name: string;
  readonly means: Means;
  readonly health: Health;
  readonly object: object;
}

type Told = "True" | "False" | "Unknown";
type Row = readonly [outcome: Outcome, means: Means, health: Health, spec?: object];

/** An outcome with the controller's additional conditions. */
function beside(outcome: Outcome, conditions: Readonly<Record<string, Told>>): Outcome {
  const said = Object.entries(conditions).map(([type, status]) => ({ type, status, reason: outcome.reason || type, message: "" }));
  return said.reduce((all, condition) => all.condition(condition), outcome);
}

const done = (reason: string) => succeeded({}, { reason, message: "over" });
const way = (reason: string) => progressing(reason, "under way");
const wait = (reason: string) => waiting(reason, "something else comes first", 30);
const stop = (reason: string) => stalled(reason, "a person must act");
const fail = (reason: string) => failed(reason, "it could not be done");

const everyKind: Readonly<Record<string, Row>> = {
  "waits for a phase before": [wait(Reason.RequirementNotMet), "InProgress", "Progressing"],
  "after a gate that failed": [stop(Reason.RequirementFailed), "Failed", "Degraded"],
  "is refused what it needs": [stop(Reason.WriteFailed), "Failed", "Degraded"],
  "while the registry is unavailable": [wait(Reason.RegistryUnavailable), "InProgress", "Progressing"],
};
const suspended: Readonly<Record<string, Row>> = {
  suspended: [wait(Reason.Suspended), "InProgress", "Suspended", { suspend: true }],
};

const rows: Readonly<Record<string, Readonly<Record<string, Row>>>> = {
  EnvironmentCheck: {
    ...everyKind,
    ...suspended,
    "looks at nodes": [way(CheckReason.CheckingNodes), "InProgress", "Progressing"],
    "finds no node": [wait(CheckReason.NoNodes), "InProgress", "Progressing"],
    "names another namespace's base": [stop(Reason.ForeignRepository), "Failed", "Degraded"],
    passed: [beside(done(CheckReason.AllPassed), { ChecksPassed: "True" }), "Current", "Healthy"],
    "found a fault": [beside(done(CheckReason.SomeFailed), { ChecksPassed: "False" }), "Current", "Degraded"],
    "found nothing out": [beside(done(CheckReason.SomeUnknown), { ChecksPassed: "Unknown" }), "Current", "Degraded"],
  },
  ModelServer: {
    ...everyKind,
    "starts its engines": [way(Reason.EnginesStarting), "InProgress", "Progressing"],
    "can't be scheduled": [wait(Reason.Unschedulable), "InProgress", "Progressing"],
    "has engines that crash": [wait(Reason.EngineCrashing), "InProgress", "Progressing"],
    "asks for what no engine has": [stop(Reason.QuantizationUnsupported), "Failed", "Degraded"],
    serves: [ready({}, { reason: Reason.AllLoaded, message: "" }), "Current", "Healthy"],
    "serves while it rolls": [beside(way(Reason.PartlyReady), { Ready: "True" }), "InProgress", "Progressing"],
  },
  Adapter: {
    "is being verified": [wait(Reason.RegistryUnavailable), "InProgress", "Progressing"],
    "isn't what it says": [stop(Reason.DigestMismatch), "Failed", "Degraded"],
    verified: [ready({}), "Current", "Healthy"],
    archived: [ready({ archived: true }), "Current", "Healthy"],
  },
  TrainingRun: {
    ...everyKind,
    ...suspended,
    "waits for its sessions": [wait(Reason.SessionsRunning), "InProgress", "Progressing"],
    "waits in a queue": [wait(RunReason.Queued), "InProgress", "Progressing"],
    "has too little to learn from": [beside(stop(RunReason.CorpusTooSmall), { CorpusSufficient: "False" }), "Failed", "Degraded"],
    "was given a hypernetwork that collapsed": [stop(RunReason.ModeCollapse), "Failed", "Degraded"],
    trains: [way(RunReason.Training), "InProgress", "Progressing"],
    "made an adapter": [done(RunReason.AdapterCreated), "Current", "Healthy"],
    "made a hypernetwork": [beside(done(RunReason.HypernetworkStored), { ModeCollapse: "False" }), "Current", "Healthy"],
    "made one that collapsed": [beside(done(RunReason.HypernetworkStored), { ModeCollapse: "True" }), "Current", "Healthy"],
    "has no attempt left": [fail(RunReason.RetriesExhausted), "Failed", "Degraded"],
  },
  AgentSession: {
    ...everyKind,
    ...suspended,
    "waits for its turn": [wait(SessionReason.ServerBusy), "InProgress", "Progressing"],
    works: [way(SessionReason.Working), "InProgress", "Progressing"],
    solved: [beside(done(SessionReason.Solved), { Solved: "True", TrajectorySealed: "True" }), "Current", "Healthy"],
    exhausted: [beside(done(SessionReason.Exhausted), { Solved: "False", TrajectorySealed: "True" }), "Current", "Healthy"],
    "ran out of time": [beside(fail(Reason.DeadlineExceeded), { Solved: "False", TrajectorySealed: "True" }), "Failed", "Degraded"],
  },
  Evaluation: {
    ...everyKind,
    ...suspended,
    "waits for an adapter": [wait(Reason.AdapterMissing), "InProgress", "Progressing"],
    measures: [beside(way(EvaluationReason.Measuring), { PowerKnown: "True" }), "InProgress", "Progressing"],
    "measures too few tasks": [
      beside(way(EvaluationReason.Measuring), { PowerKnown: "True", GatePassed: "Unknown" }),
      "InProgress",
      "Progressing",
    ],
    "was to measure what was learnt": [fail(EvaluationReason.TasksSeen), "Failed", "Degraded"],
    measured: [done(EvaluationReason.Measured), "Current", "Healthy"],
    "passed its gate": [beside(done(EvaluationReason.Measured), { GatePassed: "True" }), "Current", "Healthy"],
    "failed its gate": [beside(done(EvaluationReason.Measured), { GatePassed: "False" }), "Current", "Degraded"],
    "was inconclusive": [
      beside(done(EvaluationReason.Measured), { GatePassed: "Unknown", ControlsMissing: "True" }),
      "Current",
      "Degraded",
    ],
  },
  EvolutionGeneration: {
    ...everyKind,
    ...suspended,
    "has too small a population": [wait(GenerationReason.PopulationTooSmall), "InProgress", "Progressing"],
    "measures its members": [way(GenerationReason.MeasuringMembers), "InProgress", "Progressing"],
    breeds: [way(GenerationReason.Breeding), "InProgress", "Progressing"],
    "puts a child to the test": [way(GenerationReason.Promoting), "InProgress", "Progressing"],
    "has tasks that overlap": [stop(GenerationReason.TasksOverlap), "Failed", "Degraded"],
    "measured too few members": [fail(GenerationReason.MembersUnmeasured), "Failed", "Degraded"],
    "goes on with the next": [beside(done(GenerationReason.Continued), { Promoted: "True" }), "Current", "Healthy"],
    "ended the chain": [beside(done(GenerationReason.GenerationsReached), { Promoted: "False" }), "Current", "Healthy"],
  },
};

const now = new Date("2026-01-01T00:00:00Z");

function objectOf(kind: string, spec: object, status: object | undefined, generation = 1) {
  const metadata = { name: "one", namespace: "default", uid: "1", generation, resourceVersion: "1", creationTimestamp: now.toISOString() };
  // The API server's default for a status that has not been written.
  return { apiVersion, kind, metadata, spec, status: status ?? { observedGeneration: -1 } };
}

function statesOf(kind: string, own: Readonly<Record<string, Row>>): State[] {
  const written = Object.entries(own).map(([name, [outcome, means, health, spec = {}]]): State => {
    const object = objectOf(kind, spec, undefined);
    return { name: `${kind} ${name}`, means, health, object: objectOf(kind, spec, nextStatus(object, outcome, now)) };
  });
  const fresh = objectOf(kind, {}, undefined);
  const over = nextStatus(fresh, ready({}), now);
  const retrying = unchanged().condition({
    type: "Reconciling",
    status: "True",
    reason: "Retrying",
    message: "the API server is unavailable",
  });
  return [
    { name: `${kind} nobody has looked at`, means: "InProgress", health: "Progressing", object: fresh },
    { name: `${kind} changed since it was looked at`, means: "InProgress", health: "Progressing", object: objectOf(kind, {}, over, 2) },
    {
      name: `${kind} whose passes keep failing`,
      means: "InProgress",
      health: "Progressing",
      object: objectOf(kind, {}, nextStatus(objectOf(kind, {}, over), retrying, now)),
    },
    ...written,
  ];
}

export const states = (): State[] => Object.entries(rows).flatMap(([kind, own]) => statesOf(kind, own));
export const file = join(import.meta.dirname, "generated/states.jsonl");
export const textOf = (all: readonly State[]) => all.map((state) => `${JSON.stringify(state)}\n`).join("");

if (import.meta.main) writeFileSync(file, textOf(states()));
