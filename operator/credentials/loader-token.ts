import type { JWK } from "jose";
import { signJWT } from "./jwt.ts";

/** A token for the admin port of one pod's loader, valid for two minutes. */
export async function loaderToken(key: JWK, podUID: string, now: number): Promise<string> {
  return await signJWT(key, {}, { audience: podUID, seconds: 120, now });
}
