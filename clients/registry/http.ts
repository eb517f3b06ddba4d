import type { Readable } from "node:stream";
import { rootCertificates } from "node:tls";
import { Agent, type Dispatcher } from "undici";
import { type Clock, systemClock } from "../clock.ts";
import { busy, type Headers, type HttpAnswer, type HttpRequest, streaming, wholeAnswer, withoutQuery } from "../http/http.ts";
import { Authorization } from "./authorization.ts";
import { ArtifactMissing, RegistryDenied, RegistryUnavailable } from "./errors.ts";
import { credentialFrom } from "./login.ts";
import { isSameOrigin, resolved } from "./origin.ts";

export type RegistryOptions = {
  /** address without `/v2`; a path in it stands before every repository, as of a registry that gives its users one each */
  url: string;
  /** bearer token or the text of a `config.json`, or what gives a fresh one; `credentialFrom` reads it */
  token?: string | (() => Promise<string> | string);
  clock?: Clock;
  dispatcher?: Dispatcher;
};

/** `repository`: the one that the request is about, where its address is the registry's own choice, as of an upload. */
type RegistryRequest = HttpRequest & { repository?: string };
/** `url`: the final one, after redirects, which a relative Location refers to. */
export type RegistryAnswer = HttpAnswer & { url: string };

const mostRedirects = 5;
const keepTheMethod: readonly number[] = [307, 308];
const redirects: readonly number[] = [301, 302, 303, ...keepTheMethod];

/** What a credential's text came to: the connections that trust its certificates, and what requests carry. */
type Access = { text: string; dispatcher: Dispatcher; authorization: Authorization };

/** HTTP as registries use it: blobs and uploads may be on other hosts. Credentials go to the registry's own origin alone. */
export class RegistryHttp {
  readonly url: string;
  readonly clock: Clock;
  /** Address of `/v2/`, which shows whether this is a registry. */
  readonly root: string;
  readonly #prefix: string;
  readonly #token: RegistryOptions["token"];
  readonly #dispatcher: Dispatcher | undefined;
  #access: Access | undefined;
  #agent: { ca: string | undefined; agent: Agent } | undefined;

  constructor(options: RegistryOptions) {
    this.url = options.url.replace(/\/+$/, "");
    const { origin, pathname } = new URL(this.url);
    this.root = `${origin}/v2/`;
    this.#prefix = pathname === "/" ? "" : `${pathname.slice(1)}/`;
    this.clock = options.clock ?? systemClock;
    this.#token = options.token;
    this.#dispatcher = options.dispatcher;
  }

  /** `/v2/<repository>` of this registry. */
  base(repository: string): string {
    return `${this.root}${this.#prefix}${repository}`;
  }

  /** `/v2/<repository>/<kind>/<reference>` of this registry. */
  path(repository: string, kind: "manifests" | "blobs", reference: string): string {
    return `${this.base(repository)}/${kind}/${reference}`;
  }

  /** One exchange with redirects. Throws the errors of `exchange` in clients/http. */
  async exchange(input: RegistryRequest & { maxBytes?: number }): Promise<RegistryAnswer> {
    return await this.#following(input, async (status, headers, body, url) => ({
      ...(await wholeAnswer({ ...input, url, clock: this.clock })(status, headers, body)),
      url,
    }));
  }

  /** Streams the body of a successful response to `consume`; others become an error about `what`. */
  async download<T>(input: HttpRequest, what: string, consume: (body: Readable) => Promise<T>): Promise<T> {
    return await this.#following(input, async (status, headers, body, url) => {
      if (status === 429 || status >= 500) throw busy({ ...input, url, clock: this.clock }, status, headers);
      this.expect({ status, url }, [200], what);
      return await consume(body);
    });
  }

  /** Turns statuses that a retry doesn't change into named errors. */
  expect({ status, url }: Pick<RegistryAnswer, "status" | "url">, expected: readonly number[], what: string): void {
    if (expected.includes(status)) return;
    if (status === 404) throw new ArtifactMissing(`the registry has no ${what}; push it again or correct the reference`);
    if (status !== 401 && status !== 403)
      throw new RegistryUnavailable(`the registry answered ${status} for ${what}, expected ${expected.join(" or ")}`);
    if (isSameOrigin(url, this.url))
      throw new RegistryDenied(`the registry denied access to ${what} (${status}); the credentials don't allow it or have expired`);
    throw new RegistryDenied(
      `the registry ${this.url} sends clients on to ${new URL(url).origin}, which refused ${what} (${status}); credentials go to the registry's own address alone: if that is another address of the same registry, set the registry's URL to it`,
    );
  }

  async #following<T>(
    input: RegistryRequest,
    consume: (status: number, headers: Headers, body: Readable, url: string) => Promise<T>,
  ): Promise<T> {
    const { dispatcher, authorization } = await this.#current();
    const asking = { method: input.method, repository: this.#repositoryOf(input) };
    let { url } = input;
    let refused = false;
    for (let hop = 0; hop <= mostRedirects; ) {
      const here = url;
      const isOwn = isSameOrigin(url, this.url);
      const shown = isOwn ? await authorization.header(asking) : undefined;
      const headers = { ...input.headers, ...(shown && { authorization: shown }) };
      const step: { next: string } | { again: true } | { end: T } = await streaming(
        { ...input, url: here, headers, dispatcher },
        async (status, answered, body) => {
          if (isOwn && status === 401 && !refused && (await authorization.refused(asking, answered))) return { again: true };
          const next = redirectOf(input.method, here, status, answered);
          return next ? { next } : { end: await consume(status, answered, body, here) };
        },
      );
      if ("end" in step) return step.end;
      refused = "again" in step;
      if ("again" in step) continue;
      url = step.next;
      hop += 1;
    }
    throw new RegistryUnavailable(
      `${withoutQuery(input.url)} led to more than ${mostRedirects} redirects, the last to ${withoutQuery(url)}`,
    );
  }

  /** With the path of the registry's address, which is a part of every repository's name there. */
  #repositoryOf({ url, repository }: RegistryRequest): string {
    if (repository !== undefined) return `${this.#prefix}${repository}`;
    return /^(.+?)\/(?:manifests|blobs|tags|referrers)\//.exec(url.slice(this.root.length))?.[1] ?? "";
  }

  /** What the credential says now: tokens that were got by it are kept until it changes, connections until their certificates do. */
  async #current(): Promise<Access> {
    const text = ((typeof this.#token === "function" ? await this.#token() : this.#token) ?? "").trim();
    if (this.#access?.text === text) return this.#access;
    const { login, ca } = credentialFrom(text, this.url);
    const dispatcher = this.#dispatcher ?? this.#agentOf(ca);
    this.#access = { text, dispatcher, authorization: new Authorization(login, this.root, { clock: this.clock, dispatcher }) };
    return this.#access;
  }

  #agentOf(ca: string | undefined): Agent {
    if (this.#agent && this.#agent.ca === ca) return this.#agent.agent;
    // Beside the public authorities: what a registry leads to, such as an object store, may be signed by one of them.
    const agent = new Agent({ connect: { timeout: 5_000, ...(ca && { ca: [...rootCertificates, ca] }) } });
    this.#agent = { ca, agent };
    return agent;
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

/** The redirect target of a response from `url`, or undefined. */
export function locationOf(url: string, headers: Headers): string | undefined {
  return typeof headers.location === "string" ? resolved(url, headers.location) : undefined;
}
