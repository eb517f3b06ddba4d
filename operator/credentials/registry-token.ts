import { randomUUID } from "node:crypto";
import type { JWK } from "jose";
import { signJWT } from "./jwt.ts";

export type RegistryGrant = {
  /** allowed actions per repository */
  access: readonly { readonly repository: string; readonly actions: readonly ("pull" | "push")[] }[];
  /** the holder, for the registry's log */
  subject: string;
  seconds: number;
  /** milliseconds since the epoch */
  now?: number;
};

/** What the registry calls itself where it sends clients for tokens, and whom it wants them to be for. */
export const registryService = "rune-registry";

/** A bearer token for Distribution's token authentication that allows these actions on these repositories, and nothing else. */
export async function registryToken(key: JWK, { access, subject, seconds, now = Date.now() }: RegistryGrant): Promise<string> {
  const allowed = access.map(({ repository, actions }) => ({ type: "repository", name: repository, actions }));
  return await signJWT(key, { access: allowed, sub: subject, jti: randomUUID() }, { audience: registryService, seconds, now });
}

/** The public half of the key, with which the registry verifies tokens. */
export function registryJWKS(key: JWK): { keys: JWK[] } {
  const { d: _private, ...publicKey } = key;
  return { keys: [publicKey] };
}
