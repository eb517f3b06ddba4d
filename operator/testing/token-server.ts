import type { AddressInfo } from "node:net";
import type { Clock } from "@rune/clients/clock";
import type { JWK } from "jose";
import { type DynamicObject, jsonLogger, resource } from "kopf-ts";
import { FakeApiServer } from "kopf-ts/testing";
import { stopListening } from "../listening.ts";
import { Reviews } from "../token-server/reviews.ts";
import { startTokenServer } from "../token-server/server.ts";

/** A token that the fake API server knows: whose it is, for whom it was made, and what its owner may do. */
export interface Known {
  user: { username: string; groups?: string[]; uid?: string; extra?: Record<string, string[]> };
  /** Default: the API server itself. */
  audience?: string;
  /** Such as `get team`, or `get` for the whole cluster. */
  may: string[];
}

const cluster = { version: "v1", namespaced: false } as const;
const tokenReviews = resource({ group: "authentication.k8s.io", kind: "TokenReview", plural: "tokenreviews", ...cluster });
const accessReviews = resource({ group: "authorization.k8s.io", kind: "SubjectAccessReview", plural: "subjectaccessreviews", ...cluster });

/** The token endpoint before a fake API server that knows these tokens; what is in `tokens` may change as the test goes. */
export async function tokenServerWorld(options: {
  key: JWK;
  tokens: Record<string, Known>;
  watchNamespaces?: string[];
  clock: Pick<Clock, "now">;
}) {
  const { key, tokens, watchNamespaces = [], clock } = options;
  const api = await FakeApiServer.start();
  api.review(tokenReviews, (review) => ({ ...review, status: tokenStatus(review, tokens) }));
  api.review(accessReviews, (review) => ({ ...review, status: { allowed: mayOf(review, tokens) } }));
  const client = api.client();
  const log: string[] = [];
  const logger = jsonLogger({ level: "debug", write: (line) => log.push(line) });
  const server = await startTokenServer({ port: 0, key, reviews: new Reviews(client, clock), watchNamespaces, logger, clock });
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    await Promise.all([stopListening(server), client.close()]);
    await api.stop();
  };
  // By name: clients take no private address for a realm.
  return { api, log, url: `http://localhost:${port}/token`, stop };
}

function tokenStatus({ spec }: DynamicObject, tokens: Record<string, Known>): object {
  const known = tokens[spec.token];
  const asked: string[] | undefined = spec.audiences;
  const isMeant = known?.audience === undefined ? asked === undefined : asked?.includes(known.audience);
  if (!known || !isMeant) return { user: {}, error: `[invalid bearer token, ${spec.token} is unknown]` };
  return { authenticated: true, user: known.user, ...(asked && { audiences: [known.audience] }) };
}

function mayOf({ spec }: DynamicObject, tokens: Record<string, Known>): boolean {
  const { group, resource: named, verb, namespace } = spec.resourceAttributes;
  if (group !== "rune.dev" || named !== "artifacts") return false;
  const known = Object.values(tokens).find(({ user }) => user.username === spec.user);
  return known?.may.some((right) => right === verb || right === `${verb} ${namespace}`) ?? false;
}
