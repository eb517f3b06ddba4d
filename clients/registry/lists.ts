import { digest } from "@rune/crds/fields/field";
import { z } from "zod";
import type { Headers } from "../http/http.ts";
import { parseJSON } from "../http/json.ts";
import { RegistryUnavailable } from "./errors.ts";
import type { RegistryAnswer, RegistryHttp } from "./http.ts";
import { resolved } from "./origin.ts";
import { shortTimeout } from "./upload.ts";

/** Requested entries per page. */
const pageSize = 100;

/** A page of a list with the URL of the next; without `next` it is the last one. */
export type Page = { entries: string[]; next?: string };

const tagList = z.object({ tags: z.array(z.string().max(255)).max(100_000).nullish() });
const referrerList = z.object({
  manifests: z.array(z.object({ digest: digest(), artifactType: z.string().optional() })).max(100_000),
});

/** URL of a repository's tags after `last`, in lexical order. */
export const tagsAfter = (http: RegistryHttp, repository: string, last: string) =>
  `${http.base(repository)}/tags/list?n=${pageSize}&last=${encodeURIComponent(last)}`;

export const referrersOf = (http: RegistryHttp, repository: string, digest: string, artifactType: string) =>
  `${http.base(repository)}/referrers/${digest}?artifactType=${encodeURIComponent(artifactType)}`;

/** One page of tags; empty for an unknown repository. */
export async function tagsPage(http: RegistryHttp, url: string, what: string): Promise<Page> {
  const answer = await http.exchange({ method: "GET", url, timeoutMilliseconds: shortTimeout });
  if (answer.status === 404) return { entries: [] };
  const { tags } = parsed(http, answer, tagList, what);
  return { entries: tags ?? [], ...nextOf(answer) };
}

/**
 * Digests of one page of manifests with a subject. A registry need not filter; entries with a type are filtered here.
 * Null if the registry has no referrers API, that is, for 404 (distribution-spec 1.1, "Listing Referrers").
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
