import { digest } from "@rune/crds/fields/field";
import { z } from "zod";
import type { Headers } from "../http/http.ts";
import { parseJSON } from "../http/json.ts";
import { RegistryUnavailable } from "./errors.ts";
import type { RegistryAnswer, RegistryHttp } from "./http.ts";
import { resolved } from "./origin.ts";
import { shortTimeout } from "./upload.ts";

/** Entries that one page is asked for. */
const pageSize = 100;

/** A part of a list, and where the next part is; without `next` it was the last one. */
export type Page = { entries: string[]; next?: string };

const tagList = z.object({ tags: z.array(z.string().max(255)).max(100_000).nullish() });
const referrerList = z.object({
  manifests: z.array(z.object({ digest: digest(), artifactType: z.string().optional() })).max(100_000),
});

/** Where a repository's tags after `last` begin, in their lexical order. */
export const tagsAfter = (http: RegistryHttp, repository: string, last: string) =>
  `${http.base(repository)}/tags/list?n=${pageSize}&last=${encodeURIComponent(last)}`;

export const referrersOf = (http: RegistryHttp, repository: string, digest: string, artifactType: string) =>
  `${http.base(repository)}/referrers/${digest}?artifactType=${encodeURIComponent(artifactType)}`;

/** One page of tags. A repository that the registry doesn't know has none. */
export async function tagsPage(http: RegistryHttp, url: string, what: string): Promise<Page> {
  const answer = await http.exchange({ method: "GET", url, timeoutMilliseconds: shortTimeout });
  if (answer.status === 404) return { entries: [] };
  const { tags } = parsed(http, answer, tagList, what);
  return { entries: tags ?? [], ...nextOf(answer) };
}

/**
 * Digests of one page of what has a subject. A registry need not filter; the entries whose type it tells are filtered here. Null where the
 * registry has no referrers API, which is what 404 says (distribution-spec 1.1, "Listing Referrers").
 */
export async function referrersPage(http: RegistryHttp, url: string, what: string, artifactType: string): Promise<Page | null> {
  const answer = await http.exchange({ method: "GET", url, timeoutMilliseconds: shortTimeout });
  if (answer.status === 404) return null;
  const { manifests } = parsed(http, answer, referrerList, what);
  const wanted = manifests.filter((each) => each.artifactType === undefined || each.artifactType === artifactType);
  return { entries: wanted.map(({ digest }) => digest), ...nextOf(answer) };
}

function parsed<T>(http: RegistryHttp, answer: RegistryAnswer, schema: z.ZodType<T>, what: string): T {
  http.expect(answer, [200], what);
  const list = schema.safeParse(parseJSON(answer.body));
  if (!list.success) throw new RegistryUnavailable(`the registry answered no list for ${what}; is a proxy before it?`);
  return list.data;
}

/** RFC 8288: `<url>; rel="next"`, one of several links, or several headers. */
function nextOf({ headers, url }: { headers: Headers; url: string }): { next?: string } {
  const links = [headers.link ?? []].flat().join(",");
  const found = /<([^>]*)>\s*;[^<]*\brel="?next"?/.exec(links)?.[1];
  return found === undefined ? {} : { next: resolved(url, found) };
}
