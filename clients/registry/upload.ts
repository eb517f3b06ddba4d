import { mediaType } from "@rune/crds/contracts/artifact";
import { Transient } from "../http/retry.ts";
import type { Blob } from "./blob.ts";
import { sha256 } from "./digest.ts";
import { ArtifactMissing, RegistryUnavailable } from "./errors.ts";
import { locationOf, type RegistryAnswer, type RegistryHttp } from "./http.ts";
import { isSameOrigin } from "./origin.ts";

const mebibyte = 1024 * 1024;
const chunkBytes = 16 * mebibyte;
export const shortTimeout = 30_000;
/** Transfers must reach 1 MiB/s; slower ones are treated as broken. */
export const transferTimeout = (bytes: number) => 60_000 + Math.ceil(bytes / mebibyte) * 1000;

const created = 201;
/** Statuses that some registries return instead of 201; they count only if the content is then found. */
const alsoStored = [200, 202, 204];
/** Statuses of an upload session that the registry has dropped, or that has another offset. */
const sessionGone = [400, 404, 416];
/** A registry says of an index that isn't asked for by its type that it isn't there. */
export const acceptManifests = { accept: `${mediaType.manifest}, ${mediaType.index}` };
const octets = { "content-type": "application/octet-stream" };

/** Whether the registry has a blob or a manifest. No bytes are fetched, unless it doesn't support HEAD. */
export async function exists(http: RegistryHttp, repository: string, kind: "manifests" | "blobs", digest: string): Promise<boolean> {
  const asking = { url: http.path(repository, kind, digest), headers: { accept: mediaType.manifest }, timeoutMilliseconds: shortTimeout };
  const answer = await http.exchange({ method: "HEAD", ...asking });
  if (answer.status === 404) return false;
  const what = `${repository}@${digest}`;
  if (answer.status === 405) return await http.download({ method: "GET", ...asking }, what, async () => true).catch(falseIfMissing);
  http.expect(answer, [200], what);
  return true;
}

function falseIfMissing(error: unknown): boolean {
  if (error instanceof ArtifactMissing) return false;
  throw error;
}

/**
 * One try of an upload: checks whether the blob exists, opens a session, and sends everything. Throws `Transient` if
 * the session is lost: the next try checks again and opens another.
 */
export async function upload(http: RegistryHttp, repository: string, blob: Blob): Promise<void> {
  const what = `${repository}@${blob.digest}`;
  if (await exists(http, repository, "blobs", blob.digest)) return;
  let location = await open(http, repository, what);
  const single = blob.size <= chunkBytes;
  for (let offset = 0; !single && offset < blob.size; offset += chunkBytes) {
    const body = await blob.read(offset, Math.min(chunkBytes, blob.size - offset));
    const headers = { ...octets, "content-range": `${offset}-${offset + body.length - 1}` };
    const answer = await http.exchange({
      method: "PATCH",
      url: location,
      repository,
      headers,
      body,
      timeoutMilliseconds: transferTimeout(body.length),
    });
    inSession(http, answer, [202, 204], what);
    location = locationOf(answer.url, answer.headers) ?? location;
  }
  const url = `${location}${location.includes("?") ? "&" : "?"}digest=${encodeURIComponent(blob.digest)}`;
  const body = single ? await blob.read(0, blob.size) : Buffer.alloc(0);
  // Completing an upload makes the registry hash all of it again.
  const end = await http.exchange({
    method: "PUT",
    url,
    repository,
    headers: octets,
    body,
    timeoutMilliseconds: transferTimeout(blob.size),
  });
  inSession(http, end, [created, ...alsoStored], what);
  if (end.status !== created && !(await exists(http, repository, "blobs", blob.digest))) throw notThereYet(end, what);
}

/** The URL of a new upload session. */
async function open(http: RegistryHttp, repository: string, what: string): Promise<string> {
  const url = `${http.path(repository, "blobs", "uploads")}/`;
  const answer = await http.exchange({ method: "POST", url, timeoutMilliseconds: shortTimeout });
  if (answer.status === 404)
    throw new RegistryUnavailable(`the registry takes no uploads to ${repository} (404); create that repository, or its project`);
  http.expect(answer, [202], what);
  const location = locationOf(answer.url, answer.headers);
  if (!location) throw new RegistryUnavailable(`the registry opened an upload to ${repository} without saying where (no Location header)`);
  return location;
}

function inSession(http: RegistryHttp, answer: RegistryAnswer, expected: readonly number[], what: string): void {
  // Addresses on other hosts expire; the registry returns a new one.
  const expired = (answer.status === 401 || answer.status === 403) && !isSameOrigin(answer.url, http.url);
  if (expired || sessionGone.includes(answer.status))
    throw new Transient(`the registry no longer knows the upload session of ${what} (${wordsOf(answer)})`, { status: answer.status });
  http.expect(answer, expected, what);
}

/**
 * One try to store a manifest under its digest or a tag; retryable while the registry doesn't see its blobs yet. A registry with immutable
 * tags refuses to set one again, even to the same manifest: then the tag is there already.
 */
export async function putManifest(http: RegistryHttp, repository: string, reference: string, bytes: Buffer, digest: string): Promise<void> {
  const what = `${repository}${reference === digest ? "@" : ":"}${reference}`;
  if (reference === digest && (await exists(http, repository, "manifests", digest))) return;
  const answer = await http.exchange({
    method: "PUT",
    url: http.path(repository, "manifests", reference),
    headers: { "content-type": mediaType.manifest },
    body: bytes,
    timeoutMilliseconds: shortTimeout,
  });
  if (answer.status >= 400 && reference !== digest && (await tagged(http, repository, reference)) === digest) return;
  if (answer.status === 400 || answer.status === 404) throw new Transient(`the registry refused the manifest ${what}: ${wordsOf(answer)}`);
  http.expect(answer, [created, ...alsoStored], what);
  if (answer.status !== created && !(await exists(http, repository, "manifests", digest))) throw notThereYet(answer, what);
}

/** The digest of the manifest that a tag leads to, or null. */
export async function tagged(http: RegistryHttp, repository: string, tag: string): Promise<string | null> {
  const url = http.path(repository, "manifests", tag);
  const answer = await http.exchange({ method: "GET", url, headers: acceptManifests, timeoutMilliseconds: shortTimeout });
  if (answer.status === 404) return null;
  http.expect(answer, [200], `${repository}:${tag}`);
  return sha256(answer.body);
}

const notThereYet = ({ status }: RegistryAnswer, what: string) =>
  new Transient(`the registry answered ${status} for ${what} and doesn't have it yet`);

const wordsOf = ({ status, body }: RegistryAnswer) => `${status} ${body.toString("utf8").slice(0, 200)}`.trim();
