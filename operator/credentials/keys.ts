import { randomBytes } from "node:crypto";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, type JWK } from "jose";
import { generateNatsAuthority, natsAuthConfig, operatorCredentials } from "./nats-users.ts";
import { registryJWKS } from "./registry-token.ts";

/** A new ES256 key as a private JWK with its thumbprint as `kid`. */
export async function generateSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair("ES256", { extractable: true });
  const key = await exportJWK(privateKey);
  return { ...key, alg: "ES256", use: "sig", kid: await calculateJwkThumbprint(key) };
}

/** All entries of the Secret `rune-keys`. */
export async function generateKeys(): Promise<Record<string, string>> {
  return await completeKeys({});
}

/**
 * Adds missing entries. A public half is derived from its private one; existing entries are never replaced, except for
 * NATS, whose parts only work together: if one of its signed parts is missing, all are generated again.
 */
export async function completeKeys(existing: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  return {
    ...existing,
    ...(await completePair("registry", existing)),
    ...(await completePair("admin", existing)),
    // The registry signs the state of open uploads with it: a new one would abort them.
    "registry-http.secret": existing["registry-http.secret"] ?? randomBytes(32).toString("hex"),
    ...(await completeNats(existing)),
  };
}

async function completePair(name: string, existing: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const stored = existing[`${name}.jwk`];
  const key: JWK = stored ? JSON.parse(stored) : await generateSigningKey();
  const publicKeys = stored ? existing[`${name}.jwks`] : undefined;
  return { [`${name}.jwk`]: stored ?? JSON.stringify(key), [`${name}.jwks`]: publicKeys ?? JSON.stringify(registryJWKS(key)) };
}

async function completeNats(existing: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const {
    "nats-operator.jwt": operatorJWT,
    "nats-account.jwt": accountJWT,
    "nats-account.seed": accountSeed,
    "nats-system.jwt": systemJWT,
  } = existing;
  const whole = operatorJWT && accountJWT && accountSeed && systemJWT;
  const authority = whole ? { operatorJWT, accountJWT, accountSeed, systemJWT } : await generateNatsAuthority();
  const kept = whole ? existing : {};
  return {
    "nats-operator.jwt": authority.operatorJWT,
    "nats-account.jwt": authority.accountJWT,
    "nats-account.seed": authority.accountSeed,
    "nats-system.jwt": authority.systemJWT,
    "operator.creds": kept["operator.creds"] ?? (await operatorCredentials(authority.accountSeed)),
    "nats-auth.conf": kept["nats-auth.conf"] ?? natsAuthConfig(authority),
  };
}
