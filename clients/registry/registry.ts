import { createHash, randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { mediaType, titleAnnotation } from "@rune/crds/contracts/artifact";
import type { ArtifactReference } from "@rune/crds/fields/artifact-reference";
import { digest } from "@rune/crds/fields/field";
import { type ZodType, z } from "zod";
import { AnswerTooLarge } from "../http/http.ts";
import { parseJSON } from "../http/json.ts";
import { retry, Transient } from "../http/retry.ts";
import { type Blob, blobOfBytes, blobOfFile } from "./blob.ts";
import { canonicalJSON, sha256 } from "./digest.ts";
import { DigestMismatch, RegistryUnavailable } from "./errors.ts";
import { RegistryHttp, type RegistryOptions } from "./http.ts";
import { type Page, referrersOf, referrersPage, tagsAfter, tagsPage } from "./lists.ts";
import { acceptManifests, exists, putManifest, shortTimeout, tagged, transferTimeout, upload } from "./upload.ts";

export { ArtifactMissing, DigestMismatch, RegistryDenied, RegistryUnavailable } from "./errors.ts";
export { credentialFrom, credentialText } from "./login.ts";

export const descriptor = z.object({
  mediaType: z.string().max(255),
  digest: digest(),
  size: z.number().int().min(0),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Descriptor = z.infer<typeof descriptor>;

export const manifest = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.literal(mediaType.manifest).optional(),
  artifactType: z.string().max(255).optional(),
  config: descriptor,
  layers: z.array(descriptor).max(10_000),
  subject: descriptor.optional(),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Manifest = z.infer<typeof manifest>;

/** Several artifacts under one digest: an OCI image index. */
export const index = z.object({
  schemaVersion: z.literal(2),
  mediaType: z.literal(mediaType.index).optional(),
  artifactType: z.string().max(255).optional(),
  manifests: z.array(descriptor).max(10_000),
  annotations: z.record(z.string(), z.string()).optional(),
});
export type Index = z.infer<typeof index>;

/** A file of an artifact: its bytes, or its path. */
export type ArtifactFile = { title: string; mediaType: string; bytes?: Uint8Array; path?: string };
export type Push = {
  repository: string;
  artifactType: string;
  config: unknown;
  configMediaType: string;
  files: ArtifactFile[];
  /** a hint for people and recovery; never trusted */
  tag?: string;
  /** the manifest in the same repository that it is about; such an artifact may have no files */
  subject?: Descriptor;
};
const mebibyte = 1024 * 1024;
/** Size limits of JSON blobs, regardless of the manifest: an artifact's config, and a task set. */
export const largestConfig = mebibyte;
export const largestTaskSet = 64 * mebibyte;
const largestManifest = 4 * mebibyte;
const nothing = `sha256:${"0".repeat(64)}`;
/** Pages read per list: a registry whose list doesn't end is broken. */
const mostPages = 100;
/** OCI image-spec, "Guidance for an Empty Descriptor": the layer of a manifest without files. */
const emptyLayer = { mediaType: mediaType.empty, digest: sha256("{}"), size: 2 };
const retries = { attempts: 5, firstWaitMilliseconds: 200, longestWaitMilliseconds: 10_000 };

/** The file name of a layer: its title, or undefined without one. */
export function titleOf(layer: Descriptor): string | undefined {
  return layer.annotations?.[titleAnnotation];
}

/** The layer of this file, if the artifact has one. */
export function layerOf({ layers }: Manifest, title: string): Descriptor | undefined {
  return layers.find((layer) => titleOf(layer) === title);
}

/** Client of an OCI distribution registry. All returned bytes were hashed and compared with the requested digest. */
export class Registry {
  readonly #http: RegistryHttp;

  constructor(options: RegistryOptions) {
    this.#http = new RegistryHttp(options);
  }

  /** Throws unless the registry responds at its root; 401 without a token is a valid response. */
  async ping(): Promise<void> {
    await this.#retrying("the registry", async () => {
      const url = this.#http.root;
      const answer = await this.#http.exchange({ method: "GET", url, timeoutMilliseconds: 5_000 });
      if (answer.status !== 200 && answer.status !== 401)
        throw new RegistryUnavailable(`${url} answered ${answer.status}; is this an OCI registry?`);
    });
  }

  /** The manifest with this digest, its bytes hashed and compared; `sizeBytes` is that of all its layers. */
  async manifest(repository: string, digest: string): Promise<{ manifest: Manifest; digest: string; sizeBytes: number }> {
    const found = ofManifest(await this.#get(repository, "manifests", digest, largestManifest), `${repository}@${digest}`);
    return { manifest: found, digest, sizeBytes: sizeOf(found) };
  }

  /** The index with this digest, its bytes hashed and compared; the manifests in it aren't read. */
  async index(repository: string, digest: string): Promise<Index> {
    const body = await this.#get(repository, "manifests", digest, largestManifest);
    const parsed = index.safeParse(parseJSON(body));
    if (!parsed.success) throw new DigestMismatch(`${repository}@${digest} is not an OCI image index; push it again as one`);
    return parsed.data;
  }

  /** A JSON blob of at most `largest` bytes. Throws DigestMismatch if it is larger, ZodError if it is invalid. */
  async json<T>(repository: string, blob: Descriptor, schema: ZodType<T>, largest = largestConfig): Promise<T> {
    if (blob.size > largest) throw tooLarge(repository, blob.digest, largest);
    return schema.parse(parseJSON(await this.blob(repository, blob.digest, { maxBytes: blob.size })));
  }

  /** Whether the registry has a blob. None of its bytes are fetched. */
  async has(repository: string, digest: string): Promise<boolean> {
    return await this.#retrying(`${repository}@${digest}`, () => exists(this.#http, repository, "blobs", digest));
  }

  /** A whole blob in memory, hashed and compared. */
  async blob(repository: string, digest: string, options: { maxBytes: number }): Promise<Buffer> {
    return await this.#get(repository, "blobs", digest, options.maxBytes);
  }

  /**
   * Streams a layer to `path`: hashed while written, synced, and renamed into place only if digest and size are right.
   */
  async download(repository: string, layer: Descriptor, path: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    await this.#retrying(`${repository}@${layer.digest}`, async () => {
      const partial = join(dirname(path), `.${basename(path)}.${randomBytes(6).toString("hex")}.partial`);
      try {
        await this.#stream(repository, layer, partial);
        await rename(partial, path);
        await syncDirectory(dirname(path));
      } catch (error) {
        await rm(partial, { force: true });
        throw error;
      }
    });
  }

  /**
   * Uploads missing blobs and then the manifest; idempotent, because equal content has an equal digest. A manifest with
   * a subject and a tag is stored under the tag in one request, so that it can always be found by either.
   */
  async push(input: Push): Promise<ArtifactReference & { sizeBytes: number }> {
    const { blobs, document, bytes, digest } = await plan(input);
    const { repository, tag, subject } = input;
    for (const blob of blobs) await this.#retrying(`${repository}@${blob.digest}`, () => upload(this.#http, repository, blob));
    for (const reference of [...(subject && tag ? [] : [digest]), ...(tag ? [tag] : [])])
      await this.#retrying(`${repository}:${reference}`, () => putManifest(this.#http, repository, reference, bytes, digest));
    return { repository, digest, sizeBytes: sizeOf(document) };
  }

  /** The digest that a tag points to now, or null. The content must be verified before it is trusted. */
  async resolveTag(repository: string, tag: string): Promise<string | null> {
    return await this.#retrying(`${repository}:${tag}`, () => tagged(this.#http, repository, tag));
  }

  /** The descriptor of the manifest with this digest, for another one that has it as its subject. */
  async descriptor(repository: string, digest: string): Promise<Descriptor> {
    const body = await this.#get(repository, "manifests", digest, largestManifest);
    const { mediaType: type = mediaType.manifest } = ofManifest(body, `${repository}@${digest}`);
    return { mediaType: type, digest, size: body.length };
  }

  /** The tags after `last`, in lexical order; pages are fetched on demand. Empty for an unknown repository. */
  async *tags(repository: string, last: string): AsyncGenerator<string> {
    const what = `the tags of ${repository}`;
    yield* this.#pages(what, tagsAfter(this.#http, repository, last), (url) => tagsPage(this.#http, url, what));
  }

  /** Digests of the manifests of a type that have this one as their subject; null where the registry has no referrers API. */
  async referrers(repository: string, digest: string, artifactType: string): Promise<string[] | null> {
    const what = `the referrers of ${repository}@${digest}`;
    const page = (url: string) => referrersPage(this.#http, url, what, artifactType);
    const first = await this.#retrying(what, () => page(referrersOf(this.#http, repository, digest, artifactType)));
    if (!first) return null;
    const found = [...first.entries];
    if (first.next)
      for await (const each of this.#pages(what, first.next, async (url) => (await page(url)) ?? { entries: [] })) found.push(each);
    return [...new Set(found)];
  }

  /**
   * Whether the registry refuses this login to delete: it is asked to delete the manifest of a digest that nothing has. Undefined where its
   * answer tells neither, as for a repository that doesn't exist yet.
   */
  async refusesDeletion(repository: string): Promise<boolean | undefined> {
    return await this.#retrying(`${repository}@${nothing}`, async () => {
      const url = this.#http.path(repository, "manifests", nothing);
      const { status, body } = await this.#http.exchange({ method: "DELETE", url, timeoutMilliseconds: shortTimeout });
      if ([401, 403, 405].includes(status)) return true;
      const isAllowed = status === 202 || (status === 404 && body.includes("MANIFEST_UNKNOWN"));
      return isAllowed ? false : undefined;
    });
  }

  async *#pages(what: string, url: string, page: (url: string) => Promise<Page>): AsyncGenerator<string> {
    let next: string | undefined = url;
    for (let count = 0; next !== undefined; count++) {
      if (count >= mostPages) throw new RegistryUnavailable(`${what} don't end after ${mostPages} pages; is this an OCI registry?`);
      const here: string = next;
      const { entries, next: following } = await this.#retrying(what, () => page(here));
      yield* entries;
      next = following;
    }
  }

  async #get(repository: string, kind: "manifests" | "blobs", digest: string, maxBytes: number): Promise<Buffer> {
    return await this.#retrying(`${repository}@${digest}`, async () => {
      const answer = await this.#http
        .exchange({
          method: "GET",
          url: this.#http.path(repository, kind, digest),
          ...(kind === "manifests" ? { headers: acceptManifests } : {}),
          timeoutMilliseconds: transferTimeout(maxBytes),
          maxBytes,
        })
        .catch((error) => {
          throw error instanceof AnswerTooLarge ? tooLarge(repository, digest, maxBytes) : error;
        });
      this.#http.expect(answer, [200], `${repository}@${digest}`);
      const found = sha256(answer.body);
      if (found !== digest) throw new DigestMismatch(`the registry answered ${found} for ${repository}@${digest}; nothing of it was used`);
      return answer.body;
    });
  }

  async #stream(repository: string, layer: Descriptor, path: string): Promise<void> {
    const url = this.#http.path(repository, "blobs", layer.digest);
    const what = `${repository}@${layer.digest}`;
    await this.#http.download({ method: "GET", url, timeoutMilliseconds: transferTimeout(layer.size) }, what, async (body) => {
      const found = await writeHashed(body, path, layer.size);
      if (found.sizeBytes < layer.size) throw new Transient(`${what} ended after ${found.sizeBytes} of ${layer.size} bytes`);
      if (found.digest !== layer.digest || found.sizeBytes > layer.size)
        throw new DigestMismatch(`the registry answered other bytes for ${what}; nothing of them was kept`);
    });
  }

  async #retrying<T>(what: string, attempt: () => Promise<T>): Promise<T> {
    try {
      return await retry(attempt, retries, this.#http.clock);
    } catch (error) {
      if (!(error instanceof Transient)) throw error;
      throw new RegistryUnavailable(`${what} could not be reached after ${retries.attempts} attempts: ${error.message}`, { cause: error });
    }
  }
}

function tooLarge(repository: string, digest: string, maxBytes: number): DigestMismatch {
  return new DigestMismatch(`${repository}@${digest} is larger than the ${maxBytes} bytes it may have`);
}

async function blobOf(file: ArtifactFile): Promise<Blob> {
  if (file.bytes) return blobOfBytes(file.bytes);
  if (file.path) return await blobOfFile(file.path);
  throw new TypeError(`${file.title} has neither bytes nor a path`);
}

function ofManifest(body: Buffer, name: string): Manifest {
  const parsed = manifest.safeParse(parseJSON(body));
  if (!parsed.success) throw new DigestMismatch(`${name} is not an OCI image manifest; push it again as an artifact`);
  return parsed.data;
}

function sizeOf(document: Manifest): number {
  return document.layers.reduce((sum, layer) => sum + layer.size, 0);
}

/** Writes at most `limit` bytes and one more, so that excess is detected without filling the disk. */
async function writeHashed(body: Readable, path: string, limit: number): Promise<{ digest: string; sizeBytes: number }> {
  const hash = createHash("sha256");
  let sizeBytes = 0;
  const file = await open(path, "wx", 0o644);
  try {
    for await (const chunk of body as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes > limit) break;
      hash.update(chunk);
      await file.writeFile(chunk);
    }
    await file.sync();
  } finally {
    await file.close();
  }
  return { digest: `sha256:${hash.digest("hex")}`, sizeBytes };
}

async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, "r");
  await directory.sync().finally(() => directory.close());
}

/** The digest that an artifact will have after a push, computed without a registry. */
export async function artifactDigest(input: Push): Promise<string> {
  return (await plan(input)).digest;
}

async function plan(input: Push): Promise<{ blobs: Blob[]; document: Manifest; bytes: Buffer; digest: string }> {
  const config = blobOfBytes(canonicalJSON(input.config));
  const files = await Promise.all(input.files.map(async (file) => ({ file, blob: await blobOf(file) })));
  files.sort((a, b) => (a.file.title < b.file.title ? -1 : 1));
  const isEmpty = input.subject !== undefined && files.length === 0;
  const document: Manifest = {
    schemaVersion: 2,
    mediaType: mediaType.manifest,
    artifactType: input.artifactType,
    config: { mediaType: input.configMediaType, digest: config.digest, size: config.size },
    layers: isEmpty
      ? [emptyLayer]
      : files.map(({ file, blob }) => ({
          mediaType: file.mediaType,
          digest: blob.digest,
          size: blob.size,
          annotations: { [titleAnnotation]: file.title },
        })),
    ...(input.subject && { subject: input.subject }),
  };
  const bytes = canonicalJSON(document);
  const blobs = [config, ...files.map((entry) => entry.blob), ...(isEmpty ? [blobOfBytes(Buffer.from("{}"))] : [])];
  return { blobs, document, bytes, digest: sha256(bytes) };
}
