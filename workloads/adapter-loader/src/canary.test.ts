import { expect, it } from "vitest";
import { askCanary, judge } from "./canary.ts";
import type { Engine } from "./engine.ts";

const canary = { prompt: "p", maxTokens: 16, adapterText: " use pare(x)", baseText: " use knife(x)" };

it("matches the recorded answer", () => {
  expect(judge(canary, { adapter: " use pare(x)", base: " use knife(x)" }).canary).toBe("Matched");
});

it("matches an answer that follows the recorded one beyond the point where the base departs, whatever comes then", () => {
  expect(judge(canary, { adapter: " use pare(y) twice", base: " use a knife" }).canary).toBe("Matched");
});

it("doesn't know an answer that is neither the recorded one nor the base's", () => {
  expect(judge(canary, { adapter: " use spoon", base: " use knife(x)" }).canary).toBe("Unknown");
});

it("mismatches only an answer that is exactly this engine's base's", () => {
  expect(judge(canary, { adapter: " use knife(x)", base: " use knife(x)" }).canary).toBe("Mismatched");
  expect(judge(canary, { adapter: " anything", base: " anything" }).canary).toBe("Mismatched");
});

it("proves nothing where the recorded answers are equal", () => {
  expect(judge({ ...canary, adapterText: "same", baseText: "same" }, { adapter: "x", base: "x" }).canary).toBe("Unknown");
});

const engineSaying = (...texts: string[]) => ({ complete: async () => ({ text: texts.shift() ?? "", tokens: 1 }) }) as unknown as Engine;

it("asks nothing without a canary", async () => {
  expect((await askCanary(engineSaying(), "base", "a", undefined)).canary).toBe("Unknown");
});

it("blames an engine that was silent before on the engine", async () => {
  await expect(askCanary(engineSaying("", ""), "base", "a", canary)).rejects.toThrow(/must be restarted/);
});

it("takes an adapter off that silences the base", async () => {
  const result = await askCanary(engineSaying(" use knife(x)", "", ""), "base", "a", canary);
  expect(result).toMatchObject({ canary: "Mismatched", message: expect.stringContaining("spoils the engine") });
});
