import { createHmac, hkdfSync } from "node:crypto";
import type { JWK } from "jose";

/** The token of one epoch's sandbox runner: the same at every call, and different for every epoch. */
export function runnerToken(key: JWK, uid: string, epoch: number): string {
  return createHmac("sha256", secretOf(key)).update(`${uid}/${epoch}`).digest("base64url");
}

/** A separate secret for runners' tokens, derived from the key that only the operator has. */
function secretOf({ d }: JWK): Buffer {
  if (!d) throw new TypeError("the signing key has no private half");
  return Buffer.from(hkdfSync("sha256", d, "", "rune-runner-token", 32));
}
