import { mediaType } from "@rune/crds/contracts/artifact";
import { type Evidence, evidence as evidenceSchema } from "@rune/crds/contracts/evidence";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import { prettifyError, ZodError } from "zod";
import { sha256 } from "./digest.ts";
import { ArtifactMissing, DigestMismatch, type Registry } from "./registry.ts";

/** A piece of evidence and where it is: its tag, and the digest of its manifest. */
export type StoredEvidence = { tag: string; digest: string; evidence: Evidence };
/** All evidence of one adapter. `digest`: of the sorted list of tags and manifest digests, so that two readings can be compared. */
export type AdapterEvidence = {
  digest: string;
  evidence: StoredEvidence[];
  /** What looked like evidence and isn't, by its tag, or by its digest where its tag isn't known. */
  ignored: { tag: string; why: string }[];
};
/** Evidence that was read before, by the digest of its manifest. */
export type KnownEvidence = ReadonlyMap<string, Evidence>;

/** The tag of a piece of evidence is another's: nothing was stored. */
export class EvidenceTagTaken extends Error {
  override readonly name = "EvidenceTagTaken";
}

const stem = (adapterDigest: string) => adapterDigest.slice("sha256:".length, "sha256:".length + 16);

/** `<first 16 hex digits of the adapter's digest>.<kind, in lower case>.<UID of who decided>`: what is stored once and never again. */
export function evidenceTag(adapterDigest: string, kind: Evidence["kind"], uid: string): string {
  return `${stem(adapterDigest)}.${kind.toLowerCase()}.${uid}`;
}

/**
 * Where a piece of evidence is stored already: of the same adapter, kind and UID, at whatever time. Null where it isn't; throws
 * `EvidenceTagTaken` where its tag leads to anything else.
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
 * Stores evidence beside the adapter that it is about, as a manifest with that as its subject. Where it is there already, nothing is
 * written. Throws what `findEvidence` throws, `ArtifactMissing` without the adapter, and what the registry throws.
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
 * All evidence of one adapter, verified: found by its subject where the registry has a referrers API, by its tag otherwise. What doesn't
 * verify is left out and told of. What is `known` isn't fetched again. Throws only what the registry throws while it is away or refuses.
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

/** Two tries at once may have stored the same decision twice, with two times: the first counts, everywhere. */
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

/** What may be evidence. Tags are in lexical order, so those of one adapter stand together, after `<16 hex digits>-` and before all others. */
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

/** The evidence that a candidate is, or why it isn't evidence about this adapter. */
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
