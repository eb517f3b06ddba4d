import type { Dispatcher } from "undici";
import { z } from "zod";
import type { Clock } from "../clock.ts";
import { exchange, type Headers, type HttpAnswer, type HttpRequest, withoutQuery } from "../http/http.ts";
import { parseJSON } from "../http/json.ts";
import { type Challenge, challengeOf } from "./challenge.ts";
import { RegistryDenied, RegistryUnavailable } from "./errors.ts";
import type { Login } from "./login.ts";
import { resolved } from "./origin.ts";

/** A request, and the repository that it is about, with the path of the registry's address; empty where it is about none. */
type Asking = { readonly method: HttpRequest["method"]; readonly repository: string };
type Bearer = Extract<Challenge, { scheme: "Bearer" }>;

const answerMilliseconds = 15_000;
/** What a token lives for whose server doesn't say (Distribution, "Token Response Fields"), and how much of it is left unused. */
const standardSeconds = 60;
const unusedMilliseconds = 10_000;

const tokenAnswer = z.object({ token: z.string().optional(), access_token: z.string().optional(), expires_in: z.number().optional() });

/**
 * Turns a login into what one registry's requests carry. A password is sent to that registry, and to the token server that its own answer
 * names; tokens are asked for one repository at a time, to pull where a request only reads, and used until they end.
 */
export class Authorization {
  readonly #login: Login;
  readonly #root: string;
  readonly #clock: Clock;
  readonly #dispatcher: Dispatcher;
  readonly #tokens = new Map<string, { token: string; until: number }>();
  /** Undefined until the registry was asked; null where it wants nothing. */
  #challenge: Challenge | null | undefined;

  /** `root`: address of the registry's `/v2/`. */
  constructor(login: Login, root: string, options: { clock: Clock; dispatcher: Dispatcher }) {
    this.#login = login;
    this.#root = root;
    this.#clock = options.clock;
    this.#dispatcher = options.dispatcher;
  }

  /** The `Authorization` of a request to the registry's own origin. */
  async header(asking: Asking): Promise<string | undefined> {
    const login = this.#login;
    if (login.kind === "Nobody") return undefined;
    if (login.kind === "Token") return `Bearer ${login.token}`;
    if (this.#challenge === undefined) this.#challenge = await this.#ask();
    if (this.#challenge === null) return undefined;
    if (this.#challenge.scheme === "Basic") return basic(login);
    const scope = scopeOf(asking);
    const known = this.#tokens.get(scope);
    if (known && known.until > this.#clock.now()) return `Bearer ${known.token}`;
    return `Bearer ${await this.#fetch(this.#challenge, scope, scope)}`;
  }

  /** Whether another try has something new to show after this 401: the registry asks otherwise, or for another scope, or a token ended early. */
  async refused(asking: Asking, headers: Headers): Promise<boolean> {
    if (this.#login.kind === "Nobody" || this.#login.kind === "Token") return false;
    const challenge = challengeOf(headers);
    if (!challenge || (challenge.scheme === "Basic" && this.#challenge?.scheme === "Basic")) return false;
    this.#challenge = challenge;
    if (challenge.scheme === "Basic") return true;
    const scope = scopeOf(asking);
    await this.#fetch(challenge, scope, challenge.scope ?? scope);
    return true;
  }

  async #ask(): Promise<Challenge | null> {
    const { status, headers } = await this.#send({ method: "GET", url: this.#root });
    return status === 401 ? (challengeOf(headers) ?? null) : null;
  }

  async #fetch(challenge: Bearer, key: string, scope: string): Promise<string> {
    const realm = resolved(this.#root, challenge.realm);
    const asked = { ...(challenge.service && { service: challenge.service }), ...(scope && { scope }) };
    const answer = await this.#send(tokenRequest(this.#login, realm, asked));
    const what = `the token server ${withoutQuery(realm)}, which the registry names,`;
    if (answer.status === 400 || answer.status === 401 || answer.status === 403)
      throw new RegistryDenied(`${what} refused the login (${answer.status}); correct or renew the registry's credentials`);
    const {
      token,
      access_token: accessToken = token,
      expires_in: seconds = standardSeconds,
    } = tokenAnswer.safeParse(parseJSON(answer.body)).data ?? {};
    if (answer.status !== 200 || !accessToken) throw new RegistryUnavailable(`${what} answered ${answer.status} and no token`);
    this.#tokens.set(key, { token: accessToken, until: this.#clock.now() + seconds * 1000 - unusedMilliseconds });
    return accessToken;
  }

  /** Redirects aren't followed: a login goes where the registry said, and nowhere else. */
  async #send(request: Pick<HttpRequest, "method" | "url" | "headers" | "body">): Promise<HttpAnswer> {
    const more = { timeoutMilliseconds: answerMilliseconds, maxBytes: 256 * 1024, clock: this.#clock, dispatcher: this.#dispatcher };
    return await exchange({ ...request, ...more });
  }
}

/** By GET with the password, or by the form of OAuth 2 with an identity token. */
function tokenRequest(
  login: Login,
  realm: string,
  asked: Record<string, string>,
): Pick<HttpRequest, "method" | "url" | "headers" | "body"> {
  if (login.kind === "IdentityToken") {
    const form = new URLSearchParams({ grant_type: "refresh_token", client_id: "rune", refresh_token: login.identityToken, ...asked });
    return { method: "POST", url: realm, headers: { "content-type": "application/x-www-form-urlencoded" }, body: form.toString() };
  }
  const url = new URL(realm);
  for (const [name, value] of Object.entries(asked)) url.searchParams.append(name, value);
  const authorization = basic(login);
  return { method: "GET", url: url.href, headers: authorization ? { authorization } : {} };
}

function basic(login: Login): string | undefined {
  if (login.kind !== "Password") return undefined;
  return `Basic ${Buffer.from(`${login.username}:${login.password}`).toString("base64")}`;
}

/** The least that a request needs, as a scope of Distribution's token authentication; empty for what is about no repository. */
function scopeOf({ method, repository }: Asking): string {
  return repository && `repository:${repository}:${method === "GET" || method === "HEAD" ? "pull" : "pull,push"}`;
}
