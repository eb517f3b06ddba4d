import { createLocalJWKSet, jwtVerify } from "jose";
import { expect, it } from "vitest";
import { generateSigningKey } from "./keys.ts";
import { loaderToken } from "./loader-token.ts";
import { registryJWKS } from "./registry-token.ts";

it("is a short-lived token for one pod alone", async () => {
  const key = await generateSigningKey();
  const keys = createLocalJWKSet(registryJWKS(key) as never);
  const token = await loaderToken(key, "pod-uid", Date.now());
  const { payload } = await jwtVerify(token, keys, { audience: "pod-uid", issuer: "rune-operator" });
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBeLessThanOrEqual(300);
  await expect(jwtVerify(token, keys, { audience: "other-pod" })).rejects.toThrow();
});
