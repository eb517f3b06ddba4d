import { unnamedAlarm } from "@rune/crds/contracts/artifact";
import type { TrainingRun } from "@rune/crds/kinds/training-run";
import { failed, type Outcome, progressing, succeeded, timestamp, waiting } from "kopf-ts";
import { generatedName } from "../shared/names.ts";
import { Reason } from "../shared/reasons.ts";
import { endAttempt, endSucceeded } from "./ending.ts";
import { adapterOf } from "./manifests.ts";
import { RunReason } from "./reasons.ts";
import { modeCollapse, type Result, resultOfArtifact } from "./result.ts";
import type { Artifact, World } from "./world.ts";

/*
 * From an attempt's artifact to the run's Adapters. The digest is in status first; from there exactly its Adapters
 * follow, whatever happens in between: their names end in their digests, so that none is created twice.
 */

const retrySeconds = 15;
/** Counted from the end of the training. */
const longestSearchSeconds = 600;

/**
 * The trainer succeeded but its message is lost: uses the artifact under the run's tag if digest, config and owner
 * agree.
 */
export function adoptPublishedArtifact(world: World, message: string, now: Date): Outcome {
  const { artifact } = world;
  if (!artifact || "unavailable" in artifact)
    return waiting(
      Reason.RegistryUnavailable,
      `${message}; the registry can't be asked: ${artifact?.unavailable ?? "not yet"}`,
      retrySeconds,
    );
  if ("missing" in artifact)
    return endAttempt(world, { result: "Failed", reason: RunReason.PodLost, message: `${message}, and ${artifact.missing}` }, now, {});
  return adopted(world, artifact.artifact, message, now);
}

/** After the last attempt: adopts what it may have stored. Null if there is nothing, or it can't be read in time. */
export function survived(world: World, message: string, now: Date): Outcome | null {
  const { run, artifact } = world;
  if (artifact && "artifact" in artifact) return adopted(world, artifact.artifact, "its Job or its time ended first", now);
  if (artifact && "missing" in artifact) return null;
  const words = `${message}; whether the last attempt stored its result can't be asked: ${artifact?.unavailable ?? "not yet"}`;
  return now < searchEnd(run) ? waiting(Reason.RegistryUnavailable, words, retrySeconds) : null;
}

function adopted(world: World, artifact: Artifact, message: string, now: Date): Outcome {
  const how = { reason: undefined, message: `${message}; adopted what it had stored` };
  return endSucceeded(world, how, now, { result: resultOfArtifact(world.run, artifact) });
}

/** Creates the objects for the digest in status. */
export function publish(world: World, result: Result, now: Date): Outcome {
  const { run, artifact, created } = world;
  if (!artifact || "unavailable" in artifact)
    return waiting(
      Reason.RegistryUnavailable,
      `the artifact ${result.digest} can't be read: ${artifact?.unavailable ?? "not yet"}`,
      retrySeconds,
    );
  if ("missing" in artifact) return missing(run, artifact.missing, now);
  const stored = artifact.artifact;
  switch (stored.kind) {
    case "Adapter": {
      const wanted = adapterOf(run, result, stored.config);
      const name = generatedName(run.metadata, result.digest);
      if (created.has(name)) return done(run, { adapter: name }, RunReason.AdapterCreated, `${madeOf(run)} the Adapter ${name}`);
      return progressing(RunReason.Publishing, `creates the Adapter ${name}`).creating(wanted);
    }
    case "Adapters":
      return publishMembers(world, result, stored.members, now);
    case "Hypernetwork":
      return publishHypernetwork(run, { ...result, collapsed: result.collapsed ?? (stored.config.collapsed ? unnamedAlarm : undefined) });
    default:
      return stored satisfies never;
  }
}

/** A hypernetwork has no object: runs that generate name this run, or the artifact. */
function publishHypernetwork(run: TrainingRun, result: Result): Outcome {
  const alarm = modeCollapse(result);
  const words = `${madeOf(run)} the hypernetwork ${result.repository}@${result.digest}`;
  const ending = result.collapsed ? `${words}; it ended as collapsed: ${result.collapsed}` : words;
  const outcome = done(run, {}, RunReason.HypernetworkStored, ending).condition(alarm);
  return result.collapsed ? outcome.event("Warning", RunReason.ModeCollapse, alarm.message) : outcome;
}

/** Creates an Adapter per manifest of the index, in batches, one per pass. */
function publishMembers(world: World, result: Result, digests: readonly string[], now: Date): Outcome {
  const { run, members, created } = world;
  const total = digests.length;
  const open = digests.filter((digest) => !created.has(generatedName(run.metadata, digest)));
  const adapters = { created: total - open.length, total };
  const [only] = digests;
  if (open.length === 0 && total === 1 && only) {
    const adapter = generatedName(run.metadata, only);
    return done(run, { adapters, adapter }, RunReason.AdapterCreated, `${madeOf(run)} the Adapter ${adapter}`);
  }
  if (open.length === 0) return done(run, { adapters }, RunReason.AdapterCreated, `${madeOf(run)} ${total} Adapters`);
  if (!members || "unavailable" in members)
    return waiting(
      Reason.RegistryUnavailable,
      `${open.length} of ${total} adapters can't be read: ${members?.unavailable ?? "not yet"}`,
      retrySeconds,
      { adapters },
    );
  if ("missing" in members) return missing(run, members.missing, now);
  const wanted = members.members.map(({ digest, sizeBytes, config }) =>
    adapterOf(run, { repository: result.repository, digest, sizeBytes }, config),
  );
  return progressing(RunReason.Publishing, `${adapters.created} of ${total} Adapters exist; creates ${wanted.length} more`, { adapters })
    .creating(...wanted)
    .again(1);
}

const searchEnd = (run: TrainingRun) =>
  new Date(Date.parse(run.status?.attempts?.at(-1)?.endTime ?? "1970-01-01") + longestSearchSeconds * 1000);

/** A new artifact isn't lost just because a restarting registry, or a proxy in front of it, reports so for a while. */
function missing(run: TrainingRun, what: string, now: Date): Outcome {
  const until = searchEnd(run);
  if (now < until)
    return waiting(
      Reason.ArtifactMissing,
      `the artifact that the trainer stored isn't found: ${what}; it is looked for until ${timestamp(until)}`,
      retrySeconds,
    );
  return failed(
    Reason.ArtifactMissing,
    `the artifact that the trainer stored is gone: ${what}; restore the registry's storage and create a new run`,
  );
}

/** What the method did, such as `learnt 3 sessions into`. */
function madeOf({ spec, status }: TrainingRun): string {
  const sessions = status?.corpus?.count === undefined ? "a corpus" : `${status.corpus.count} sessions`;
  if (spec.merge) return `merged ${spec.merge.adapters.length} adapters into`;
  if (spec.control) return `made, in the shape of ${spec.control.like},`;
  if (spec.generate) return `generated, from ${sessions},`;
  return `learnt ${sessions} into`;
}

function done(run: TrainingRun, status: object, reason: string, message: string): Outcome {
  const progress = { ...run.status?.progress, percent: 100, remainingSeconds: 0 };
  return succeeded({ ...status, progress }, { reason, message }).event("Normal", reason, `${message} (${run.status?.result?.digest})`);
}
