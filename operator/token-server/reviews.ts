import { createHash } from "node:crypto";
import type { Clock } from "@rune/clients/clock";
import type { Client } from "kopf-ts";
import { z } from "zod";
import { registryService } from "../credentials/registry-token.ts";
import { keepNewest } from "../keep-newest.ts";
import type { Right } from "./scopes.ts";

/** Somebody whom the API server knows, in the form in which it is asked about them again. */
export type Person = z.infer<typeof person>;

const person = z.object({
  username: z.string().min(1),
  uid: z.string().optional(),
  groups: z.array(z.string()).optional(),
  extra: z.record(z.string(), z.array(z.string())).optional(),
});
const tokenStatus = z.object({
  authenticated: z.boolean().default(false),
  user: person.optional().catch(undefined),
  audiences: z.array(z.string()).default([]),
});
const accessStatus = z.object({ allowed: z.boolean().default(false) });

const reviewPath = {
  TokenReview: "/apis/authentication.k8s.io/v1/tokenreviews",
  SubjectAccessReview: "/apis/authorization.k8s.io/v1/subjectaccessreviews",
} as const;

/** How long a token counts as what it was: one that is taken back, or a person's new groups, count after that. */
const rememberedMilliseconds = 10_000;
const mostRemembered = 1000;
const answerMilliseconds = 10_000;

/** Asks the API server who somebody is and what they may do. A token is kept nowhere: answers are remembered under its hash. */
export class Reviews {
  readonly #client: Client;
  readonly #clock: Pick<Clock, "now">;
  readonly #known = new Map<string, { until: number; answer: Promise<Person | undefined> }>();

  constructor(client: Client, clock: Pick<Clock, "now">) {
    this.#client = client;
    this.#clock = clock;
  }

  /** Whose token this is; undefined where the API server knows nobody by it. Rejects with its error while it can't say. */
  async personOf(token: string): Promise<Person | undefined> {
    const key = createHash("sha256").update(token).digest("hex");
    const known = this.#known.get(key);
    if (known && known.until > this.#clock.now()) return await known.answer;
    const answer = this.#ask(token);
    this.#remember(key, answer);
    return await answer;
  }

  /** Whether somebody may do this. Rejects with the API server's error while it can't say. */
  async may({ username, ...person }: Person, { verb, namespace }: Right): Promise<boolean> {
    const resourceAttributes = { group: "rune.dev", resource: "artifacts", verb, ...(namespace && { namespace }) };
    const status = await this.#review("SubjectAccessReview", { user: username, ...person, resourceAttributes });
    return accessStatus.parse(status).allowed;
  }

  /** First as a token whose audience is the registry, which opens nothing else, then as one for the API server itself. */
  async #ask(token: string): Promise<Person | undefined> {
    const own = tokenStatus.parse(await this.#review("TokenReview", { token, audiences: [registryService] }));
    if (own.authenticated && own.audiences.includes(registryService)) return own.user;
    const any = tokenStatus.parse(await this.#review("TokenReview", { token }));
    return any.authenticated ? any.user : undefined;
  }

  /** The status of a review, which the API server makes and stores nowhere. */
  async #review(kind: keyof typeof reviewPath, spec: object): Promise<unknown> {
    const path = reviewPath[kind];
    const body = JSON.stringify({ apiVersion: path.slice("/apis/".length, path.lastIndexOf("/")), kind, spec });
    const signal = AbortSignal.timeout(answerMilliseconds);
    return (await this.#client.request<{ status?: unknown }>({ method: "POST", path, body, signal })).status ?? {};
  }

  #remember(key: string, answer: Promise<Person | undefined>): void {
    keepNewest(this.#known, key, { until: this.#clock.now() + rememberedMilliseconds, answer }, mostRemembered);
    answer.catch(() => this.#known.delete(key));
  }
}
