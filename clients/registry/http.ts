import type { Readable } from "node:stream";
import { Agent, type Dispatcher } from "undici";
import { type Clock, systemClock } from "../clock.ts";
import { busy, type Headers, type HttpAnswer, type HttpRequest, streaming, wholeAnswer, withoutQuery } from "../http/http.ts";
import { ArtifactMissing, RegistryDenied, RegistryUnavailable } from "./errors.ts";

export type RegistryOptions = {
  /** base URL, without `/v2` */
  url: string;
  /** bearer token, or what gives a fresh one */
  token?: string | (() => Promise<string> | string);
  clock?: Clock;
  dispatcher?: Dispatcher;
};

/** `url`: where it came from, after redirects. A relative Location starts there. */
export type RegistryAnswer = HttpAnswer & { url: string };

const mostRedirects = 5;
const keepTheMethod: readonly number[] = [307, 308];
const redirects: readonly number[] = [301, 302, 303, ...keepTheMethod];

/** HTTP as registries use it: blobs and uploads may be on other hosts. The token goes to the registry's own origin alone. */
export class RegistryHttp {
  readonly url: string;
  readonly clock: Clock;
  readonly #token: RegistryOptions["token"];
  readonly #dispatcher: Dispatcher;

  constructor(options: RegistryOptions) {
    this.url = options.url.replace(/\/+$/, "");
    this.clock = options.clock ?? systemClock;
    this.#token = options.token;
    this.#dispatcher = options.dispatcher ?? new Agent({ connect: { timeout: 5_000 } });
  }

  /** `/v2/<repository>/<kind>/<reference>` of this registry. */
  path(repository: string, kind: "manifests" | "blobs", reference: string): string {
    return `${this.url}/v2/${repository}/${kind}/${reference}`;
  }

  /** One exchange, redirects followed. Throws as `exchange` of HTTP does. */
  async exchange(input: HttpRequest & { maxBytes?: number }): Promise<RegistryAnswer> {
    return await this.#following(input, async (status, headers, body, url) => ({
      ...(await wholeAnswer({ ...input, url, clock: this.clock })(status, headers, body)),
      url,
    }));
  }

  /** Hands the body of a good answer to `consume` as it comes; every other answer becomes an error that says `what` it is about. */
  async download<T>(input: HttpRequest, what: string, consume: (body: Readable) => Promise<T>): Promise<T> {
    return await this.#following(input, async (status, headers, body, url) => {
      if (status === 429 || status >= 500) throw busy({ ...input, url, clock: this.clock }, status, headers);
      this.expect({ status, url }, [200], what);
      return await consume(body);
    });
  }

  /** Statuses that trying again doesn't change become errors with a name. */
  expect({ status, url }: Pick<RegistryAnswer, "status" | "url">, expected: readonly number[], what: string): void {
    if (expected.includes(status)) return;
    if (status === 404) throw new ArtifactMissing(`the registry has no ${what}; push it again or correct the reference`);
    if (status !== 401 && status !== 403)
      throw new RegistryUnavailable(`the registry answered ${status} for ${what}, expected ${expected.join(" or ")}`);
    if (isSameOrigin(url, this.url))
      throw new RegistryDenied(`the registry denied access to ${what} (${status}); the token doesn't allow it or has expired`);
    throw new RegistryDenied(
      `the registry ${this.url} sends clients on to ${new URL(url).origin}, which refused ${what} (${status}); the token goes to the registry's own address alone: if that is another address of the same registry, set the registry's URL to it`,
    );
  }

  async #following<T>(
    input: HttpRequest,
    consume: (status: number, headers: Headers, body: Readable, url: string) => Promise<T>,
  ): Promise<T> {
    let { url } = input;
    for (let hop = 0; hop <= mostRedirects; hop++) {
      const here = url;
      const headers = { ...input.headers, ...(await this.#authorization(here)) };
      const step: { next: string } | { end: T } = await streaming(
        { ...input, url: here, headers, dispatcher: this.#dispatcher },
        async (status, answered, body) => {
          const next = redirectOf(input.method, here, status, answered);
          return next ? { next } : { end: await consume(status, answered, body, here) };
        },
      );
      if ("end" in step) return step.end;
      url = step.next;
    }
    throw new RegistryUnavailable(
      `${withoutQuery(input.url)} led to more than ${mostRedirects} redirects, the last to ${withoutQuery(url)}`,
    );
  }

  async #authorization(url: string): Promise<Record<string, string>> {
    if (!isSameOrigin(url, this.url)) return {};
    const token = typeof this.#token === "function" ? await this.#token() : this.#token;
    return token ? { authorization: `Bearer ${token}` } : {};
  }
}

function redirectOf(method: HttpRequest["method"], url: string, status: number, headers: Headers): string | undefined {
  const location = locationOf(url, headers);
  if (!redirects.includes(status) || location === undefined) return undefined;
  if (method !== "GET" && method !== "HEAD" && !keepTheMethod.includes(status))
    throw new RegistryUnavailable(
      `the registry answered ${status} to ${method} ${withoutQuery(url)}, a redirect that turns it into a GET; set the registry's URL to where it leads`,
    );
  return location;
}

/** Where an answer of `url` sends to, or undefined. */
export function locationOf(url: string, headers: Headers): string | undefined {
  return typeof headers.location === "string" ? resolved(url, headers.location) : undefined;
}

/** A Location as the answer of `url` means it. Never from TLS to plain text: addresses of uploads and stores are credentials themselves. */
export function resolved(url: string, location: string): string {
  const target = new URL(location, url);
  if (new URL(url).protocol === "https:" && target.protocol !== "https:")
    throw new RegistryDenied(
      `the registry is asked by https and leads to ${withoutQuery(target.href)}; nothing was sent there: a proxy before it must pass X-Forwarded-Proto`,
    );
  return target.href;
}

/** Scheme, host and port: what a credential belongs to. */
export const isSameOrigin = (one: string, other: string) => new URL(one).origin === new URL(other).origin;
