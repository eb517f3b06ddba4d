import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { ModelServer } from "@rune/crds/kinds/model-server";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { ConditionType } from "@rune/crds/words/conditions";
import { label } from "@rune/crds/words/labels";
import {
  type Condition,
  type ConditionInput,
  type DynamicObject,
  getCondition,
  isTerminal,
  isTrue,
  type KubeObject,
  type Outcome,
} from "kopf-ts";
import { ownedMetadata } from "../pods/pod.ts";
import type { Check } from "../shared/check.ts";
import type { OperatorConfig } from "../shared/config.ts";
import { neverAHypernetwork } from "../shared/hypernetwork-run.ts";
import { generatedName } from "../shared/names.ts";
import { Reason } from "../shared/reasons.ts";
import { foreignRepository } from "../shared/tenancy.ts";
import { failureOf } from "../shared/time-to-live.ts";
import { SessionReason } from "./reasons.ts";
import type { World } from "./world.ts";

/*
 * A session that ends solved can start one TrainingRun. Its ending is written first, together with the condition
 * Learnt, which records what is still to do. So problems of learning can't affect the outcome, and a crash neither
 * loses the run nor creates a second one.
 */

type Told = ConditionInput & { readonly message: string };

const told = (status: Told["status"], reason: string, message: string): Told => ({ type: ConditionType.Learnt, status, reason, message });

/** Checked before any work, while correcting it costs only a new session: can the hypernetwork be used here? */
export const hypernetworkFits: Check<World> = ({ session, server, hypernetworkRun: run }) => {
  const { hypernetwork } = session.spec.learn;
  if (!hypernetwork || session.status?.epoch) return null;
  const blocker = foreignRepository(hypernetwork.repository, session.metadata.namespace) ?? (run ? wrongRun(run, server) : null);
  return blocker && { ...blocker, message: `spec.learn.hypernetwork: ${blocker.message}` };
};

function wrongRun(run: TrainingRun, server: ModelServer | undefined): ReturnType<Check<World>> {
  const { name } = run.metadata;
  const remedy = "name another one in a new session";
  const never = neverAHypernetwork(run);
  if (never) return { ...never, message: `${never.message}; ${remedy}` };
  const trained = run.status?.baseDigest;
  const served = server?.status?.baseDigest;
  if (trained && served && trained !== served) {
    const message = `the hypernetwork of the TrainingRun ${name} is made for the base ${trained}, and the ModelServer of this session runs ${served}; ${remedy}`;
    return { reason: Reason.BaseMismatch, message };
  }
  if (!isTrue(run, ConditionType.ModeCollapse)) return null;
  const message = `the training of ${name} ended as collapsed: it makes nearly the same adapter of every session; ${remedy}`;
  return { reason: SessionReason.ModeCollapse, message };
}

/** The condition on learning that is written with the ending; undefined where nothing is learnt automatically. */
export function learningAtEnd({ session, server, ending }: World): { condition: Told; status?: object } | undefined {
  if (session.spec.learn.policy === "None") return undefined;
  if (ending?.outcome !== "Solved")
    return {
      condition: told("False", SessionReason.NotSolved, "nothing is learnt by itself from a session that ends otherwise than solved"),
    };
  if (!server) return { condition: serverGone };
  const trainingRun = generatedName(session.metadata);
  const message = `the TrainingRun ${trainingRun} is being created`;
  return { condition: told("Unknown", SessionReason.LearningStarts, message), status: { trainingRun } };
}

/** What a pass over an ended session must do or report about learning; nothing once learning is over. */
export function learnOn(outcome: Outcome, { session, server, learning: run }: World, config: OperatorConfig): Outcome {
  const before = getCondition(session, ConditionType.Learnt);
  if (!before || before.status === "True") return outcome;
  const starts = !run && before.reason === SessionReason.LearningStarts;
  if (starts && server) return outcome.creating(learningRun(session, server, config)).again(1);
  const next = run ? toldBy(run) : starts ? serverGone : before.status === "Unknown" ? deleted(session) : undefined;
  if (!next || says(before, next)) return outcome;
  return outcome.condition(next).event(next.status === "False" ? "Warning" : "Normal", next.reason, next.message);
}

/**
 * Whether an expired session must be kept. A generated adapter's run is deleted with it, so that run must have ended; a
 * training, which may take days, has no owner and only needs to have frozen its corpus, stalled before that or not.
 */
export function stillLearns({ session, learning: run }: World): boolean {
  const { status, reason } = getCondition(session, ConditionType.Learnt) ?? {};
  const { policy } = session.spec.learn;
  if (status === "Unknown" && (policy === "Generate" || reason === SessionReason.LearningStarts)) return true;
  return policy === "WhenSolved" && run !== undefined && !isTerminal(run) && !run.status?.corpus;
}

const says = (before: Condition, next: Told) =>
  before.status === next.status && before.reason === next.reason && before.message === next.message;

const serverGone = told(
  "False",
  SessionReason.ServerMissing,
  "nothing is learnt from this session by itself: its ModelServer is gone, and with it the word on the base model; create a TrainingRun that names the session",
);

const deleted = ({ status }: AgentSession) =>
  told("False", SessionReason.RunDeleted, `the TrainingRun ${status?.trainingRun} was deleted before it had made an Adapter`);

/** The message is constant while the run works, so its progress causes no writes here. */
function toldBy(run: TrainingRun): Told {
  const { name } = run.metadata;
  if (isTrue(run, ConditionType.Succeeded))
    return told("True", SessionReason.AdapterMade, `the TrainingRun ${name} made the Adapter ${run.status?.adapter}`);
  const ending = failureOf(run);
  if (!ending) return told("Unknown", SessionReason.Learning, `the TrainingRun ${name} makes an Adapter of it`);
  const how = ending.type === ConditionType.Failed ? "failed" : "is stalled";
  return told("False", ending.reason, `the TrainingRun ${name} ${how}: ${ending.message}`);
}

/** A generation, which takes seconds, is owned by its session; a training has no owner. Adapters outlive both. */
function learningRun(session: AgentSession, server: ModelServer, config: OperatorConfig): DynamicObject {
  const { name, namespace } = session.metadata;
  const { hypernetwork, sft = {} } = session.spec.learn;
  const called = generatedName(session.metadata);
  const labels = { [label.session]: name };
  return {
    apiVersion: session.apiVersion,
    kind: "TrainingRun",
    metadata: hypernetwork ? ownedMetadata(session as AgentSession & KubeObject, called, labels) : { name: called, namespace, labels },
    spec: {
      base: server.spec.base,
      ...(config.engine.device === "CUDA" && { resources: { gpus: 1 } }),
      ...(hypernetwork ? { generate: { hypernetwork, each: "Session" } } : { sft }),
      corpus: { sessionNames: [name] },
      output: { scope: session.spec.scope },
    },
  };
}
