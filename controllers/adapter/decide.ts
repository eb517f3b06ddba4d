import { evidenceTag } from "@rune/clients/registry/evidence";
import type { Evidence } from "@rune/crds/contracts/evidence";
import type { Adapter } from "@rune/crds/kinds/adapter";
import { ConditionType } from "@rune/crds/words/conditions";
import { group } from "@rune/crds/words/group";
import { label } from "@rune/crds/words/labels";
import { type KubeObject, type Outcome, ready, timestamp, unchanged } from "kopf-ts";
import { blocked, firstOf, repairSeconds } from "../shared/check.ts";
import { scopeLabels } from "../shared/labels.ts";
import { Reason } from "../shared/reasons.ts";
import { type AnnotationRequest, annotationRequests, evidenceOfWord, heardOf, unclear, unheardOf } from "./annotation-requests.ts";
import { checks } from "./checks.ts";
import { newsOf, piecesOf, withStored } from "./evidence.ts";
import { foldEvidence, type Status } from "./fold-evidence.ts";
import { AdapterReason } from "./reasons.ts";
import type { EvidenceState, World } from "./world.ts";

export const inUseFinalizer = `${group}/in-use`;
/** Longest delay of the deletion of an adapter in use: a deletion must end. */
const longestProtectionSeconds = 600;
/** Interval between verifications of a verified artifact. */
export const reverifySeconds = 6 * 3600;

/** Stores evidence beside the adapter; does nothing if it is already there. */
export type Store = (evidence: Evidence) => Promise<void>;

export function decide(world: World, store: Store, now: Date): Outcome {
  const { adapter, evidence } = world;
  if (adapter.metadata.deletionTimestamp) return leaving(world, now);
  const status = statusOf(world);
  const blocker = firstOf(checks, world);
  if (blocker) return mirrored(blocked(blocker, status), adapter, status).finalizer(inUseFinalizer, isLive(world)).again(repairSeconds);
  const known =
    evidence.state === "Read" ? readings(world, evidence) : { status: notRead(evidence), unheard: unheardOf(adapter), news: [] };
  const said = { ...status, verified: verification(world, now), ...known.status };
  const outcome = mirrored(ready(said, { message: messageOf(world, known.unheard) }), adapter, said).finalizer(
    inUseFinalizer,
    isLive(world),
  );
  const isAway = world.artifact.state === "Unavailable" || evidence.state === "Unavailable";
  const told = known.news.reduce((all, { type, reason, note }) => all.event(type, reason, note), outcome);
  const heeded = evidence.state === "Read" ? heeding(adapter, told, { unheard: known.unheard, store, now }) : told;
  return heeded.again(isAway ? repairSeconds : reverifySeconds);
}

/** After a failed read the evidence stays due, even if the object that made it due is deleted. */
const notRead = ({ state }: EvidenceState) => (state === "Unavailable" ? { evidenceTime: undefined } : {});

/**
 * Status and events that follow from the evidence that was read, and annotations that aren't stored as evidence yet.
 */
function readings({ adapter, evaluations }: World, { digest, time, evidence, ignored }: Extract<EvidenceState, { state: "Read" }>) {
  const stored = evidence.map((each) => each.evidence);
  const folded = withStored(foldEvidence(adapter, piecesOf(adapter, stored, evaluations)), stored);
  const words = annotationRequests(adapter);
  const tags = new Set(evidence.map(({ tag }) => tag));
  const isThere = ({ kind, uid }: AnnotationRequest) => tags.has(evidenceTag(adapter.spec.artifact.digest, kind, uid));
  const heard = words.filter(isThere);
  const unheard = words.filter((word) => !isThere(word));
  const [first] = ignored;
  const note = `${ignored.length} manifests in the registry look like evidence about this adapter and were ignored; ${first?.tag}: ${first?.why}`;
  return {
    status: {
      ...folded,
      evidenceDigest: digest,
      evidenceTime: time,
      heard: heardOf(heard),
      unheard: unheard.length > 1 ? heardOf(unheard) : undefined,
    },
    unheard,
    news: [
      ...newsOf(adapter, folded, stored),
      ...(first ? [{ type: "Warning" as const, reason: AdapterReason.EvidenceIgnored, note }] : []),
    ],
  };
}

/** Stores a person's annotation as evidence, which the next pass reads and applies. */
function heeding(
  adapter: Adapter,
  outcome: Outcome,
  { unheard, store, now }: { unheard: readonly AnnotationRequest[]; store: Store; now: Date },
): Outcome {
  const [word] = unheard;
  if (!word || unheard.length > 1) return outcome;
  return outcome.effect(`${word.kind} by a person`, () => store(evidenceOfWord(adapter, word, now))).atOnce();
}

/** Delays deletion while the adapter is in use, for a limited time, and not in a terminating namespace. */
function leaving(world: World, now: Date): Outcome {
  const waited = (now.getTime() - new Date(world.adapter.metadata.deletionTimestamp ?? now).getTime()) / 1000;
  if (world.namespaceTerminating || waited >= longestProtectionSeconds || !isLive(world))
    return unchanged().finalizer(inUseFinalizer, false);
  const message = `is being deleted, and waits until it isn't used any more: ${usersOf(world).join(", ")}; at most ${longestProtectionSeconds / 60} minutes`;
  return unchanged()
    .condition({ type: ConditionType.Deleting, status: "True", reason: Reason.InUse, message })
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
  const { status } = world.adapter;
  const holders = holdersOf(world);
  return {
    tier: status?.tier ?? "Task",
    archived: status?.archived ?? false,
    holders: {
      engines: holders.reduce((sum, { engines }) => sum + engines, 0),
      servers: holders
        .map(({ server }) => server)
        .sort()
        .slice(0, 50),
    },
  };
}

function verification({ adapter, artifact }: World, now: Date): Status["verified"] {
  if (artifact.state !== "Found") return adapter.status?.verified;
  return { time: timestamp(now), files: artifact.files };
}

function messageOf({ adapter, artifact, evidence }: World, unheard: readonly AnnotationRequest[]): string {
  const since = adapter.status?.verified?.time;
  if (artifact.state === "Unavailable") return `verified at ${since}; the registry is unavailable now: ${artifact.message}`;
  const verified = "the artifact is in the registry and is what the spec says";
  const more = evidence.state === "Unavailable" ? `its evidence can't be read now: ${evidence.message}` : unclear(adapter, unheard);
  return more ? `${verified}; ${more}` : verified;
}

/** Copies tier, archived and scope to labels, so that selectors can match them. */
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
