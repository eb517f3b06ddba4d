import { importJWK, type JWK, type JWTPayload, SignJWT } from "jose";

/** Tokens are valid from this long before they are issued, because clocks differ. */
const leewaySeconds = 30;

/** A JWT of the operator with these claims, valid only for `audience`. `now`: milliseconds since the epoch. */
export async function signJWT(
  key: JWK,
  claims: JWTPayload,
  { audience, seconds, now }: { audience: string; seconds: number; now: number },
): Promise<string> {
  if (!key.kid) throw new TypeError("the signing key has no kid; it must be made by generateKeys");
  const issuedAt = Math.floor(now / 1000);
  return await new SignJWT(claims)
    .setProtectedHeader({ alg: "ES256", typ: "JWT", kid: key.kid })
    .setIssuer("rune-operator")
    .setAudience(audience)
    .setIssuedAt(issuedAt)
    .setNotBefore(issuedAt - leewaySeconds)
    .setExpirationTime(issuedAt + Math.ceil(seconds)) // Distribution reads whole seconds only
    .sign(await importJWK(key, "ES256"));
}
