import { createWriteStream } from "node:fs";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { type Clock, systemClock } from "@rune/clients/clock";
import { exchange, streaming } from "@rune/clients/http/http";
import { parseJSON } from "@rune/clients/http/json";
import { retry, Transient } from "@rune/clients/http/retry";
import { PodFailure } from "@rune/clients/pod/pod";
import { sha256File } from "@rune/clients/registry/digest";
import { exit } from "@rune/crds/contracts/pod";
import type { StageJob } from "@rune/crds/contracts/stage";
import { type Dispatcher, EnvHttpProxyAgent, interceptors } from "undici";
import { z } from "zod";
import type { Fetched, ModelFiles } from "./model-files.ts";
import { safeName } from "./safe-name.ts";

/** The Hugging Face hub or a mirror of it, and the proxy before it, with the hosts that are asked without. */
export type Hub = { url: string; token?: string; proxy?: { url: string; except: string }; clock?: Clock };

const listing = z.object({
  siblings: z.array(z.object({ rfilename: z.string(), size: z.number().nullish(), lfs: z.object({ sha256: z.string() }).nullish() })),
});
type Sibling = z.infer<typeof listing>["siblings"][number];

/**
 * Weights as safetensors, configuration and tokenizer; not the same weights in other formats, nor pictures and notes.
 */
const wanted =
  /^[^/]+(\.safetensors|\.safetensors\.index\.json|\.jinja)$|^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|chat_template|preprocessor_config|processor_config)\.json$|^(merges\.txt|vocab\.txt|tokenizer\.model|spiece\.model|sentencepiece\.bpe\.model)$/;
const unwanted = /^consolidated.*\.safetensors$/;
const policy = { attempts: 8, firstWaitMilliseconds: 1_000, longestWaitMilliseconds: 30_000 };
/** Allows for 1 MiB/s; a transfer without a byte for a minute is broken. */
const transferTime = (bytes: number) => 10 * 60_000 + Math.ceil(bytes / 1024 / 1024) * 1000;

type Transfer = { hub: Hub; headers: Record<string, string>; dispatcher: Dispatcher; signal: AbortSignal };

/** Downloads the files of one commit, resuming where a broken transfer stopped. */
export async function fromHuggingFace(
  source: NonNullable<StageJob["base"]["huggingFace"]>,
  target: string,
  hub: Hub,
  signal: AbortSignal,
): Promise<Fetched> {
  const { url: proxy = "", except: noProxy = "" } = hub.proxy ?? {};
  const agent = new EnvHttpProxyAgent({ httpProxy: proxy, httpsProxy: proxy, noProxy, connect: { timeout: 10_000 } });
  const dispatcher = agent.compose(interceptors.redirect({ maxRedirections: 5 }));
  const transfer = {
    hub,
    headers: hub.token ? { authorization: `Bearer ${hub.token}` } : ({} as Record<string, string>),
    dispatcher,
    signal,
  };
  const siblings = await list(source, transfer);
  const files: ModelFiles = {};
  for (const sibling of siblings) {
    const path = join(target, safeName(sibling.rfilename));
    const url = `${hub.url}/${source.repository}/resolve/${source.revision}/${sibling.rfilename.split("/").map(encodeURIComponent).join("/")}`;
    await download(url, path, sibling, transfer);
    const { digest, sizeBytes } = await sha256File(path);
    files[sibling.rfilename] = { sha256: digest.slice("sha256:".length), sizeBytes };
  }
  return { name: source.repository, files };
}

async function list({ repository, revision }: { repository: string; revision: string }, transfer: Transfer): Promise<Sibling[]> {
  const { hub, headers, dispatcher, signal } = transfer;
  const url = `${hub.url}/api/models/${repository}/revision/${revision}?blobs=true`;
  const send = () => exchange({ method: "GET", url, headers, dispatcher, signal, timeoutMilliseconds: 30_000, maxBytes: 64 * 1024 * 1024 });
  const { status, body } = await trying(send, repository, transfer);
  if (status !== 200) throw absent(status, `${repository} at ${revision}`);
  const parsed = listing.safeParse(parseJSON(body));
  if (!parsed.success)
    throw new PodFailure(exit.unavailable, "HubUnavailable", `${hub.url} answered something that is not a list of files`);
  return parsed.data.siblings.filter(({ rfilename }) => wanted.test(rfilename) && !unwanted.test(rfilename));
}

async function download(url: string, path: string, sibling: Sibling, transfer: Transfer): Promise<void> {
  if (await isWhole(path, sibling)) return;
  const partial = join(dirname(path), `.${sibling.rfilename.replaceAll("/", "_")}.partial`);
  await mkdir(dirname(path), { recursive: true });
  await trying(() => attempt(url, partial, sibling, transfer), sibling.rfilename, transfer);
  if (!(await isWhole(partial, sibling))) {
    await rm(partial, { force: true });
    throw new PodFailure(
      exit.unavailable,
      "DigestMismatch",
      `${sibling.rfilename} arrived with other bytes than the hub lists; they were thrown away`,
    );
  }
  const file = await open(partial, "r");
  await file.sync().finally(() => file.close());
  await rename(partial, path);
}

async function attempt(url: string, partial: string, sibling: Sibling, { headers, dispatcher, signal }: Transfer): Promise<void> {
  const have = (await stat(partial).catch(() => undefined))?.size ?? 0;
  if (sibling.size && have === sibling.size) return;
  const range: Record<string, string> = have > 0 ? { range: `bytes=${have}-` } : {};
  const input = {
    method: "GET" as const,
    url,
    headers: { ...headers, ...range },
    dispatcher,
    signal,
    timeoutMilliseconds: transferTime(sibling.size ?? 2 ** 33),
  };
  await streaming(input, async (status, _, body) => {
    if (status === 429 || status >= 500) throw new Transient(`${url} answered ${status}`, { status });
    if (status === 416) await rm(partial, { force: true });
    if (status !== 200 && status !== 206)
      throw status === 416 ? new Transient(`${url} can't be resumed`) : absent(status, sibling.rfilename);
    await pipeline(body as Readable, createWriteStream(partial, { flags: status === 206 ? "a" : "w", mode: 0o644 }));
  });
}

async function isWhole(path: string, { size, lfs }: Sibling): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (!found || (size && found.size !== size)) return false;
  return lfs ? (await sha256File(path)).digest === `sha256:${lfs.sha256}` : true;
}

async function trying<T>(attemptOnce: () => Promise<T>, what: string, { hub, signal }: Transfer): Promise<T> {
  try {
    return await retry(attemptOnce, { ...policy, signal }, hub.clock ?? systemClock);
  } catch (error) {
    if (!(error instanceof Transient)) throw error;
    throw new PodFailure(exit.unavailable, "HubUnavailable", `${what} can't be had from ${hub.url}: ${error.message}`, { cause: error });
  }
}

function absent(status: number, what: string): PodFailure {
  if (status === 401 || status === 403)
    return new PodFailure(
      exit.badInput,
      "HubDenied",
      `the hub denies ${what} (${status}): accept the model's licence, and name a Secret with a token in spec.base.huggingFace.tokenSecret`,
    );
  return new PodFailure(exit.badInput, "ModelMissing", `the hub has no ${what} (${status}); correct spec.base.huggingFace`);
}
