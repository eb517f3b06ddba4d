import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { Clock } from "@rune/clients/clock";
import type { JWK } from "jose";
import type { Logger } from "kopf-ts";
import { registryService, registryToken } from "../credentials/registry-token.ts";
import { listen } from "../listening.ts";
import { fromForm, fromQuery, NotATokenRequest, type TokenRequest } from "./request.ts";
import type { Person, Reviews } from "./reviews.ts";
import { type Access, accessOf, type Right, rightFor, TooManyScopes } from "./scopes.ts";

export interface TokenServerOptions {
  readonly port: number;
  /** The installation's private key for registry tokens. */
  readonly key: JWK;
  readonly reviews: Pick<Reviews, "personOf" | "may">;
  /** Namespaces that the installation is for; empty means all. */
  readonly watchNamespaces: readonly string[];
  readonly logger: Logger;
  readonly clock: Pick<Clock, "now">;
}

interface Answer {
  readonly status: number;
  readonly body: object;
  readonly headers?: Readonly<Record<string, string>>;
}

const tokenSeconds = 300;
/** People who are looked up at the same time: what the API server is asked has an end, no matter who knocks. */
const mostAtOnce = 32;
/** Connections, on each of which one form at a time is read. */
const mostConnections = 512;
const largestForm = 64 * 1024;

/** The registry's token endpoint for people: answers `/token` with what the Kubernetes API says that they may do. */
export async function startTokenServer(options: TokenServerOptions): Promise<Server> {
  let open = 0;
  const oneOfFew = async (asked: TokenRequest): Promise<Answer> => {
    if (open >= mostAtOnce) return busy;
    open += 1;
    try {
      return await answerTo(asked, options);
    } finally {
      open -= 1;
    }
  };
  const server = createServer((request, response) => {
    void answer(request, oneOfFew)
      .catch((error: Error) => failed(options.logger, error))
      .then((given) => send(response, given));
  });
  server.requestTimeout = 30_000;
  server.maxConnections = mostConnections;
  return await listen(server, options.port);
}

async function answer(request: IncomingMessage, look: (asked: TokenRequest) => Promise<Answer>): Promise<Answer> {
  const url = URL.parse(request.url ?? "", "http://token");
  if (url?.pathname !== "/token") return problem(404, "NOT_FOUND", "the token endpoint of the registry is /token");
  if (request.method !== "GET" && request.method !== "POST") return problem(405, "UNSUPPORTED", "ask by GET, or by POST with a form");
  try {
    const asked = request.method === "GET" ? fromQuery(url.searchParams, request.headers.authorization) : fromForm(await formOf(request));
    return await look(asked);
  } catch (error) {
    if (error instanceof NotATokenRequest || error instanceof TooManyScopes) return problem(400, "INVALID_REQUEST", error.message);
    throw error;
  }
}

async function answerTo({ service, scopes, token }: TokenRequest, options: TokenServerOptions): Promise<Answer> {
  const { reviews, watchNamespaces, key, clock, logger } = options;
  if (service !== undefined && service !== registryService)
    throw new NotATokenRequest(`tokens are for the service ${registryService} alone`);
  const wanted = accessOf(scopes);
  const person = token === undefined ? undefined : await reviews.personOf(token);
  if (!person) return unauthorized(token);
  const may = asking(reviews, person);
  const access = (await Promise.all(wanted.map((each) => allowed(each, may, watchNamespaces)))).filter(isSomething);
  const now = clock.now();
  const signed = await registryToken(key, { subject: person.username, access, seconds: tokenSeconds, now });
  const pushes = access.some(({ actions }) => actions.includes("push"));
  logger[pushes ? "info" : "debug"]("signed a registry token for a person", { user: person.username, access: access.map(inWords) });
  // `token` is what Docker's clients read, `access_token` and `scope` what OAuth 2 names.
  const body = {
    token: signed,
    access_token: signed,
    scope: access.map((each) => `repository:${inWords(each)}`).join(" "),
    expires_in: tokenSeconds,
    issued_at: new Date(now).toISOString(),
  };
  return { status: 200, body };
}

type May = (right: Right) => Promise<boolean>;

/** Whether this person may; each right is asked for once, however many repositories need it. */
function asking(reviews: TokenServerOptions["reviews"], person: Person): May {
  const asked = new Map<string, Promise<boolean>>();
  return (right) => {
    const key = `${right.verb} ${right.namespace ?? ""}`;
    const answer = asked.get(key) ?? reviews.may(person, right);
    asked.set(key, answer);
    return answer;
  };
}

/** What of it may be done; the rest is left out, and the registry refuses it. */
async function allowed({ repository, actions }: Access, may: May, watched: readonly string[]): Promise<Access> {
  const answers = await Promise.all(
    actions.map(async (action) => {
      const right = rightFor(repository, action, watched);
      return right !== undefined && (await may(right));
    }),
  );
  return { repository, actions: actions.filter((_, place) => answers[place]) };
}

const isSomething = ({ actions }: Access) => actions.length > 0;
const inWords = ({ repository, actions }: Access) => `${repository}:${actions.join()}`;

async function formOf(request: IncomingMessage): Promise<URLSearchParams> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > largestForm) throw new NotATokenRequest(`the form is larger than ${largestForm} bytes`);
    chunks.push(chunk);
  }
  return new URLSearchParams(Buffer.concat(chunks).toString("utf8"));
}

const problem = (status: number, code: string, message: string, headers: Answer["headers"] = {}): Answer => ({
  status,
  body: { errors: [{ code, message }] },
  headers,
});

const busy = problem(503, "UNAVAILABLE", "too many requests at once; try again", { "retry-after": "1" });

const unauthorized = (token: string | undefined) =>
  problem(
    401,
    "UNAUTHORIZED",
    token === undefined
      ? "log in with a Kubernetes token as the password, such as that of `kubectl create token`"
      : "the API server knows nobody by this token, or it has expired; make another one, as by `kubectl create token`",
    { "www-authenticate": `Basic realm="${registryService}"` },
  );

/** The API server's error may quote what it was asked, so clients receive only its name. */
function failed(logger: Logger, error: Error): Answer {
  logger.warn("the API server could not be asked about a person's token", { reason: error.name });
  return problem(503, "UNAVAILABLE", "the API server can't be asked now; try again", { "retry-after": "5" });
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store", ...headers }).end(JSON.stringify(body));
}
