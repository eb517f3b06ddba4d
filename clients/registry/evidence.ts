import { mediaType } from "@rune/crds/contracts/artifact";
import { type Evidence, evidence as evidenceSchema } from "@rune/crds/contracts/evidence";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import { prettifyError, ZodError } from "zod";
import { sha256 } from "./digest.ts";
import { ArtifactMissing, DigestMismatch, type Registry } from "./registry.ts";

/** A piece of evidence with its tag and the digest of its manifest. */
export type StoredEvidence = { tag: string; digest: string; evidence: Evidence };
/** All evidence of one adapter. `digest`: of the sorted list of tags and manifest digests, to compare two readings. */
export type AdapterEvidence = {
  digest: string;
  evidence: StoredEvidence[];
  /** Manifests that look like evidence but aren't, by tag, or by digest if the tag is unknown. */
  ignored: { tag: string; why: string }[];
};
/** Evidence from earlier readings, by the digest of its manifest. */
export type KnownEvidence = ReadonlyMap<string, Evidence>;

/** The tag of a piece of evidence is in use by something else: nothing was stored. */
export class EvidenceTagTaken extends Error {
  override readonly name = "EvidenceTagTaken";
}

const stem = (adapterDigest: string) => adapterDigest.slice("sha256:".length, "sha256:".length + 16);

/** `<first 16 hex digits of the adapter's digest>.<kind, in lower case>.<UID of the decider>`; stored only once. */
export function evidenceTag(adapterDigest: string, kind: Evidence["kind"], uid: string): string {
  return `${stem(adapterDigest)}.${kind.toLowerCase()}.${uid}`;
}

/**
 * The stored piece of evidence with the same adapter, kind and UID, whatever its time; null if there is none. Throws
 * `EvidenceTagTaken` if the tag points to anything else.
 */
export async function findEvidence(registry: Registry, repository: string, evidence: Evidence): Promise<ArtifactReference | null> {
  const tag = tagOf(evidence);
  const digest = await registry.resolveTag(repository, tag);
  if (!digest) return null;
  const found = await read({ registry, repository, adapterDigest: evidence.adapter.digest }, { digest, tag });
  if (!("wrong" in found)) return { repository, digest };
  throw new EvidenceTagTaken(
    `${repository}:${tag} leads to ${digest}, which isn't this evidence: ${found.wrong}; nothing was overwritten, delete that tag if nobody needs it`,
  );
}

/**
 * Stores evidence beside its adapter, as a manifest with that as its subject; does nothing if it is already there.
 * Throws the errors of `findEvidence`, `ArtifactMissing` without the adapter, and the registry's errors.
 */
export async function storeEvidence(registry: Registry, repository: string, evidence: Evidence): Promise<ArtifactReference> {
  const there = await findEvidence(registry, repository, evidence);
  if (there) return there;
  const { digest } = await registry.push({
    repository,
    artifactType: mediaType.evidence,
    config: evidenceSchema.parse(evidence),
    configMediaType: mediaType.evidence,
    files: [],
    tag: tagOf(evidence),
    subject: await registry.descriptor(repository, evidence.adapter.digest),
  });
  return { repository, digest };
}

/**
 * All evidence of one adapter, verified: found by its subject if the registry has a referrers API, else by its tag.
 * Invalid evidence is left out and listed as ignored. Evidence in `known` isn't fetched again. Throws only the
 * registry's errors, while it is unavailable or refuses.
 */
export async function readEvidence(
  registry: Registry,
  repository: string,
  adapterDigest: string,
  known?: KnownEvidence,
): Promise<AdapterEvidence> {
  const ignored: AdapterEvidence["ignored"] = [];
  const byTag = new Map<string, StoredEvidence>();
  const place = { registry, repository, adapterDigest };
  for await (const candidate of candidates(place)) {
    const found = await read(place, candidate, known);
    if ("wrong" in found) ignored.push({ tag: candidate.tag ?? candidate.digest, why: found.wrong });
    else keep(found, byTag, ignored);
  }
  const evidence = [...byTag.values()].sort((a, b) => (a.tag < b.tag ? -1 : 1));
  return { digest: sha256(evidence.map(({ tag, digest }) => `${tag} ${digest}\n`).join("")), evidence, ignored };
}

const tagOf = ({ adapter, kind, by }: Evidence) => evidenceTag(adapter.digest, kind, by.uid);

/** Two concurrent tries may have stored the same decision with two times: the first counts, for every reader. */
function keep(own: StoredEvidence, byTag: Map<string, StoredEvidence>, ignored: AdapterEvidence["ignored"]): void {
  const other = byTag.get(own.tag);
  const [first, second] = other && isOlder(other, own) ? [other, own] : [own, other];
  byTag.set(own.tag, first);
  if (second) ignored.push({ tag: second.digest, why: `${first.digest} is the evidence ${first.tag}, and was decided before it` });
}

const isOlder = (a: StoredEvidence, b: StoredEvidence) =>
  (Date.parse(a.evidence.time) - Date.parse(b.evidence.time) || a.digest.localeCompare(b.digest)) < 0;

type Place = { registry: Registry; repository: string; adapterDigest: string };
type Candidate = { digest: string; tag?: string };
type Wrong = { wrong: string };

/** Possible evidence. Tags are in lexical order, so an adapter's are adjacent, after `<16 hex digits>-`. */
async function* candidates({ registry, repository, adapterDigest }: Place): AsyncGenerator<Candidate> {
  const referrers = await registry.referrers(repository, adapterDigest, mediaType.evidence);
  if (referrers) {
    for (const digest of referrers) yield { digest };
    return;
  }
  const prefix = `${stem(adapterDigest)}.`;
  for await (const tag of registry.tags(repository, `${stem(adapterDigest)}-`)) {
    if (!tag.startsWith(prefix)) {
      if (tag > prefix) return;
      continue;
    }
    const digest = await registry.resolveTag(repository, tag);
    if (digest) yield { digest, tag };
  }
}

/** The evidence of a candidate, or why it isn't evidence about this adapter. */
async function read(place: Place, { digest, tag }: Candidate, known?: KnownEvidence): Promise<StoredEvidence | Wrong> {
  const evidence = known?.get(digest) ?? (await verified(place, digest));
  if ("wrong" in evidence) return evidence;
  if (evidence.adapter.digest !== place.adapterDigest) return { wrong: `it says that it is about ${evidence.adapter.digest}` };
  const own = tagOf(evidence);
  return tag === undefined || tag === own ? { tag: own, digest, evidence } : { wrong: `it is the evidence ${own}` };
}

async function verified({ registry, repository, adapterDigest }: Place, digest: string): Promise<Evidence | Wrong> {
  try {
    const { manifest } = await registry.manifest(repository, digest);
    if (manifest.artifactType !== mediaType.evidence) return { wrong: `its artifactType is ${manifest.artifactType ?? "unset"}` };
    if (manifest.subject?.digest !== adapterDigest) return { wrong: `its subject is ${manifest.subject?.digest ?? "unset"}` };
    return await registry.json(repository, manifest.config, evidenceSchema);
  } catch (error) {
    if (error instanceof ZodError) return { wrong: `its config is no evidence: ${prettifyError(error)}` };
    if (error instanceof ArtifactMissing || error instanceof DigestMismatch) return { wrong: error.message };
    throw error;
  }
}
