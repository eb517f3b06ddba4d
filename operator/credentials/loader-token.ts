import { importJWK, type JWK, SignJWT } from "jose";
import { keyID, tokenIssuer } from "./registry-token.ts";

/** A token for the admin port of one pod's loader, valid for two minutes. */
export async function loaderToken(key: JWK, podUID: string, now: number): Promise<string> {
  const seconds = Math.floor(now / 1000);
  return await new SignJWT({})
    .setProtectedHeader({ alg: "ES256", typ: "JWT", kid: keyID(key) })
    .setIssuer(tokenIssuer)
    .setAudience(podUID)
    .setIssuedAt(seconds)
    .setNotBefore(seconds - 30)
    .setExpirationTime(seconds + 120)
    .sign(await importJWK(key, "ES256"));
}
