import type { AdapterConfig } from "@rune/crds/contracts/artifact";
import type { HeldAdapter } from "@rune/crds/contracts/loader";
import { type Engine, EngineRefused, EngineUnavailable, type Text } from "./engine.ts";

export type Canary = NonNullable<AdapterConfig["canary"]>;
/** `silenced`: the base answered before the adapter did, and nothing afterwards. */
export type CanaryResult = {
  canary: NonNullable<HeldAdapter["canary"]>;
  message: string;
  answers?: { adapter: string; base: string };
  silenced?: true;
};

const patience = 120_000;

/**
 * Sends the artifact's own prompt to base and adapter. The base goes first, so that an engine that was already
 * corrupted isn't blamed on the adapter, and again after the adapter, because an adapter that corrupts the engine shows
 * in the base's answers.
 */
export async function askCanary(engine: Engine, base: string, adapter: string, canary: Canary | undefined): Promise<CanaryResult> {
  if (!canary) return { canary: "Unknown", message: "the artifact has no canary prompt" };
  const before = await engine.complete(base, canary.prompt, canary.maxTokens, patience);
  if (before.text === "" && canary.baseText !== "")
    throw new EngineUnavailable("the base answers nothing to the canary prompt; the engine is spoilt and must be restarted");
  const answer = await completeLoaded(engine, adapter, canary);
  const after = await engine.complete(base, canary.prompt, Math.min(8, canary.maxTokens), patience);
  if (after.text === "" && before.text !== "")
    return {
      canary: "Mismatched",
      silenced: true,
      message: "after one answer of the adapter the base answers nothing: it spoils the engine, which must be restarted",
    };
  const answers = { adapter: answer.text, base: before.text };
  return { ...judge(canary, answers), answers };
}

/** An engine that doesn't know an adapter that was loaded into it has started again since: it must be loaded again. */
async function completeLoaded(engine: Engine, adapter: string, canary: Canary): Promise<Text> {
  try {
    return await engine.complete(adapter, canary.prompt, canary.maxTokens, patience);
  } catch (error) {
    if (!(error instanceof EngineRefused) || error.status !== 404) throw error;
    throw new EngineUnavailable(`the engine no longer has ${adapter}, which was loaded: ${error.message}`, { cause: error });
  }
}

/**
 * Matched: the answer follows the recorded one beyond the point where the recorded base departed from it, which the base never does.
 * Other engines, precisions and batches change single tokens, so equality is not required.
 * Mismatched: the answer equals this engine's base's although the recorded ones differ: the adapter has no effect here.
 * Unknown: anything else; another engine or precision may cause it.
 */
export function judge(canary: Canary, answers: { adapter: string; base: string }): Pick<CanaryResult, "canary" | "message"> {
  if (canary.adapterText === canary.baseText) return { canary: "Unknown", message: "the artifact's canary doesn't tell adapter from base" };
  if (answers.adapter === answers.base)
    return {
      canary: "Mismatched",
      message: "the adapter answers the canary prompt exactly as the base does here: it has no effect on this engine",
    };
  const departure = commonPrefix(canary.adapterText, canary.baseText);
  if (answers.adapter === canary.adapterText || commonPrefix(answers.adapter, canary.adapterText) > departure)
    return { canary: "Matched", message: "the adapter answers the canary prompt as recorded" };
  return {
    canary: "Unknown",
    message: "the adapter answers the canary prompt neither as recorded nor as the base does; another engine or precision can do that",
  };
}

function commonPrefix(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}
