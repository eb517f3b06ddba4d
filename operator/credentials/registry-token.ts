import { randomUUID } from "node:crypto";
import { importJWK, type JWK, SignJWT } from "jose";

export const tokenIssuer = "rune-operator";
export const registryAudience = "rune-registry";

export type RegistryGrant = {
  /** each repository with what may be done there */
  access: readonly { readonly repository: string; readonly actions: readonly ("pull" | "push")[] }[];
  /** who it is for, for the registry's log */
  subject: string;
  seconds: number;
  /** milliseconds since the epoch */
  now?: number;
};

/** A bearer token for Distribution's token authentication that allows these actions on these repositories, and nothing else. */
export async function registryToken(key: JWK, grant: RegistryGrant): Promise<string> {
  const now = Math.floor((grant.now ?? Date.now()) / 1000);
  return await new SignJWT({ access: grant.access.map(({ repository, actions }) => ({ type: "repository", name: repository, actions })) })
    .setProtectedHeader({ alg: "ES256", typ: "JWT", kid: keyID(key) })
    .setIssuer(tokenIssuer)
    .setAudience(registryAudience)
    .setSubject(grant.subject)
    .setIssuedAt(now)
    .setNotBefore(now - 30)
    .setExpirationTime(now + Math.ceil(grant.seconds)) // Distribution reads whole seconds only
    .setJti(randomUUID())
    .sign(await importJWK(key, "ES256"));
}

/** What the registry verifies tokens with: the public half of the key. */
export function registryJWKS(key: JWK): { keys: JWK[] } {
  const { d: _private, ...publicKey } = key;
  return { keys: [publicKey] };
}

export function keyID(key: JWK): string {
  if (!key.kid) throw new TypeError("the signing key has no kid; it must be made by generateKeys");
  return key.kid;
}
