import { decodeJwt, decodeProtectedHeader } from "jose";
import { expect, it } from "vitest";
import { generateSigningKey } from "./keys.ts";
import { registryToken } from "./registry-token.ts";

it("names each repository with its actions, and the key that signed it", async () => {
  const key = await generateSigningKey();
  const access = [
    { repository: "rune/models/m", actions: ["pull"] as const },
    { repository: "rune/team/adapters", actions: ["pull", "push"] as const },
  ];
  const token = await registryToken(key, { subject: "TrainingRun team/run", access, seconds: 60 });
  expect(decodeProtectedHeader(token).kid).toBe(key.kid);
  expect(decodeJwt(token).access).toEqual(access.map(({ repository, actions }) => ({ type: "repository", name: repository, actions })));
});

it("expires at a whole second, because Distribution refuses a token that doesn't", async () => {
  const token = await registryToken(await generateSigningKey(), { subject: "s", access: [], seconds: 85800.3, now: 1_000_500 });
  expect(decodeJwt(token).exp).toBe(1000 + 85801);
});
