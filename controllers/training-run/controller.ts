import type { AgentSession } from "@rune/crds/kinds/agent-session";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { label } from "@rune/crds/words/labels";
import {
  anyOf,
  type Context,
  fieldChanged,
  isTerminal,
  jobs,
  type KubeObject,
  labelsChanged,
  type Manager,
  type Outcome,
  pods,
} from "kopf-ts";
import { publishing } from "../shared/cloudevents.ts";
import { enqueueOnNotice, indexByUID, labelled, requiring } from "../shared/enqueue.ts";
import { hasLabels } from "../shared/labels.ts";
import {
  adapters,
  agentSessions,
  environmentChecks,
  evaluations,
  evolutionGenerations,
  modelServers,
  trainingRuns,
} from "../shared/resources.ts";
import type { Services } from "../shared/services.ts";
import { eventsOf } from "./cloudevents.ts";
import { decide } from "./decide.ts";
import { hasOpenInputs } from "./inputs.ts";
import { namedAdapters } from "./methods.ts";
import { observe } from "./observe.ts";

async function reconcile(run: TrainingRun, context: Context, services: Services): Promise<Outcome> {
  const world = await observe(run, context, services);
  const now = context.clock.now();
  return publishing(decide(world, services.config, now), eventsOf(run), services.events, now);
}

/**
 * Reconciles on changes of its Jobs and their pods, of awaited inputs and sessions, of requirements, and on progress.
 */
export function register(manager: Manager, services: Services): void {
  indexByUID(manager, trainingRuns);
  const required = requiring(manager, trainingRuns);
  const controller = manager
    .controller("training-run")
    .for(trainingRuns)
    .owns(jobs)
    .watches(pods, labelled(label.run))
    .watches(agentSessions, (session) => waitingRuns(manager, session), { predicate: anyOf<AgentSession>(labelsChanged, hasEnded) })
    .watches(agentSessions, required)
    .watches(adapters, (adapter) => [...labelled(label.run)(adapter), ...required(adapter), ...startingFrom(manager, adapter)])
    .watches(trainingRuns, (run) => [...required(run), ...startingFrom(manager, run)])
    .watches(modelServers, required)
    .watches(evaluations, required)
    .watches(environmentChecks, required)
    .watches(evolutionGenerations, required)
    .withOptions({ reportFailures: true })
    .complete((run, context) => reconcile(run, context, services));
  enqueueOnNotice(manager, controller, services, "progress");
}

/** A session's progress changes no corpus; its end does. */
const hasEnded = fieldChanged((session: AgentSession) => [isTerminal(session), session.status?.trajectory]);

const byOpenCorpus = (run: TrainingRun) => (run.status?.corpus || isTerminal(run) ? undefined : run.metadata.namespace);

/** Runs whose corpus is still open and would take this session in. */
function waitingRuns(manager: Manager, session: KubeObject): KubeObject["metadata"][] {
  return manager
    .cache(trainingRuns)
    .byIndex(byOpenCorpus, session.metadata.namespace ?? "")
    .filter((run) => learnsFrom(run, session))
    .map((run) => run.metadata);
}

/** Runs with open inputs that name this adapter, or this run for its hypernetwork. */
function startingFrom(manager: Manager, { kind, metadata }: KubeObject): KubeObject["metadata"][] {
  const names = (run: TrainingRun) =>
    kind === "Adapter" ? namedAdapters(run).names.includes(metadata.name) : run.spec.generate?.hypernetwork.run === metadata.name;
  return manager
    .cache(trainingRuns)
    .list({ namespace: metadata.namespace })
    .filter((run) => hasOpenInputs(run) && names(run))
    .map((run) => run.metadata);
}

function learnsFrom({ spec: { corpus } }: TrainingRun, { metadata }: KubeObject): boolean {
  if (!corpus) return false;
  if (corpus.sessionNames) return corpus.sessionNames.includes(metadata.name);
  if (corpus.artifact || corpus.artifacts) return false;
  return hasLabels({ metadata }, corpus.sessions?.matchLabels ?? {});
}
