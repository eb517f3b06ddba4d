import { type Adapter, mostEvidence } from "@rune/crds/adapter";
import { group, label } from "@rune/crds/common";
import { getCondition, type KubeObject, type Outcome, ready, timestamp, unchanged } from "kopf-ts";
import { blocked, firstOf, repairSeconds } from "../check.ts";
import { scopeLabels } from "../labels.ts";
import { Reason } from "../reasons.ts";
import { sameTasks } from "../scope.ts";
import { checks } from "./checks.ts";
import type { World } from "./world.ts";

export const inUseFinalizer = `${group}/in-use`;
/** An adapter in use is kept this long at most: a deletion must end. */
const longestProtectionSeconds = 600;
/** Verified artifacts are looked at again this often. */
export const reverifySeconds = 6 * 3600;

type Status = NonNullable<Adapter["status"]>;

export function decide(world: World, now: Date): Outcome {
  if (world.adapter.metadata.deletionTimestamp) return leaving(world, now);
  const status = statusOf(world);
  const blocker = firstOf(checks, world);
  if (blocker)
    return mirrored(blocked(blocker, status), world.adapter, status).finalizer(inUseFinalizer, isLive(world)).again(repairSeconds);
  const verified = { ...status, verified: verification(world, now) };
  const outcome = mirrored(ready(verified, { message: messageOf(world) }), world.adapter, verified).finalizer(
    inUseFinalizer,
    isLive(world),
  );
  return outcome.again(world.artifact.state === "Unavailable" ? repairSeconds : reverifySeconds);
}

/** Waits for live use to end, but never longer than a person waits, and never for a namespace that is going. */
function leaving(world: World, now: Date): Outcome {
  const waited = (now.getTime() - new Date(world.adapter.metadata.deletionTimestamp ?? now).getTime()) / 1000;
  if (world.namespaceTerminating || waited >= longestProtectionSeconds || !isLive(world))
    return unchanged().finalizer(inUseFinalizer, false);
  const message = `is being deleted, and waits until it isn't used any more: ${usersOf(world).join(", ")}; at most ${longestProtectionSeconds / 60} minutes`;
  return unchanged()
    .condition({ type: "Deleting", status: "True", reason: Reason.InUse, message })
    .again(Math.min(15, longestProtectionSeconds - waited));
}

const holdersOf = ({ adapter, servers }: World) =>
  servers.flatMap(({ metadata, status }) => {
    const entry = status?.adapters?.find(({ name, digest }) => name === adapter.metadata.name && digest === adapter.spec.artifact.digest);
    return entry && entry.engines > 0 ? [{ server: metadata.name, engines: entry.engines }] : [];
  });

const usersOf = (world: World) => [...world.claims, ...holdersOf(world).map(({ server }) => `ModelServer ${server}`)];
const isLive = (world: World) => usersOf(world).length > 0;

export function statusOf(world: World): Omit<Status, "conditions" | "observedGeneration"> {
  const { adapter } = world;
  const holders = holdersOf(world);
  const fitness = newestFitness(world);
  const evidence = evidenceOf(world);
  return {
    tier: adapter.status?.tier ?? "Task",
    archived: adapter.status?.archived ?? false,
    holders: {
      engines: holders.reduce((sum, { engines }) => sum + engines, 0),
      servers: holders
        .map(({ server }) => server)
        .sort()
        .slice(0, 50),
    },
    ...(fitness && { fitness }),
    ...(evidence.length > 0 && { evidence }),
  };
}

type Fitness = NonNullable<Status["fitness"]>;
type Evidence = NonNullable<Status["evidence"]>[number];
type Measured = Pick<World, "adapter" | "evaluations">;

/**
 * What ended evaluations measured of these very weights, alone. An arm that has other adapters for other tasks, or is told something beside,
 * measures those as well.
 */
function measurements({ adapter, evaluations }: Measured): Fitness[] {
  return evaluations.flatMap((evaluation) => {
    const ended = getCondition(evaluation, "Succeeded");
    const arms = evaluation.spec.arms.filter((arm) => arm.adapter === adapter.metadata.name && !arm.context).map(({ name }) => name);
    const result = evaluation.status?.arms?.find(
      ({ name, passAt1, adapterDigest }) => arms.includes(name) && passAt1 && adapterDigest === adapter.spec.artifact.digest,
    );
    if (ended?.status !== "True" || !result?.passAt1) return [];
    const { taskSet } = evaluation.status ?? {};
    const { name, uid } = evaluation.metadata;
    return [{ passAt1: result.passAt1, evaluation: name, evaluationUID: uid, time: ended.lastTransitionTime, ...(taskSet && { taskSet }) }];
  });
}

const newestFirst = (a: Fitness, b: Fitness) => b.time.localeCompare(a.time) || b.evaluation.localeCompare(a.evaluation);

/** The Pass@1 of the evaluation that ended last; one that measured it earlier never overwrites it. */
export function newestFitness(measured: Measured): Fitness | undefined {
  const known = measured.adapter.status?.fitness;
  return [...(known ? [known] : []), ...measurements(measured)].toSorted(newestFirst)[0];
}

/**
 * The newest fitness on each task set of the adapter's own project. A set of another project, or of none, says nothing to a session of this
 * one, and can't push out what does; so each set has an entry of its own.
 */
export function evidenceOf(measured: Measured): Evidence[] {
  const { project } = measured.adapter.spec.scope;
  const all = [...(measured.adapter.status?.evidence ?? []), ...measurements(measured)]
    .flatMap((each) => (each.taskSet && project && each.taskSet.scope?.project === project ? [{ ...each, taskSet: each.taskSet }] : []))
    .toSorted(newestFirst);
  return all.filter((each, index) => all.findIndex(({ taskSet }) => sameTasks(taskSet, each.taskSet)) === index).slice(0, mostEvidence);
}

function verification({ adapter, artifact }: World, now: Date): Status["verified"] {
  if (artifact.state !== "Found") return adapter.status?.verified;
  return { time: timestamp(now), files: artifact.files };
}

function messageOf({ adapter, artifact }: World): string {
  const since = adapter.status?.verified?.time;
  if (artifact.state === "Unavailable") return `verified at ${since}; the registry is away now: ${artifact.message}`;
  return "the artifact is in the registry and is what the spec says";
}

/** Labels are how selectors see status. */
function mirrored(outcome: Outcome, adapter: Adapter, status: Omit<Status, "conditions">): Outcome {
  const labels = mirrorLabels(adapter, status);
  const current = adapter.metadata.labels ?? {};
  if (Object.entries(labels).every(([name, value]) => current[name] === value)) return outcome;
  const { name, namespace, uid } = adapter.metadata;
  return outcome.applying({
    apiVersion: adapter.apiVersion,
    kind: adapter.kind,
    metadata: { name, namespace, uid, labels },
  } satisfies KubeObject);
}

export function mirrorLabels({ spec }: Adapter, { tier = "Task", archived = false }: Omit<Status, "conditions">): Record<string, string> {
  return { [label.tier]: tier, [label.archived]: String(archived), ...scopeLabels(spec.scope) };
}
