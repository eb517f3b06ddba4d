/** Why a request isn't passed to the engine: the field, and a sentence with what to do. */
export type Objection = { param: string; message: string };

type Rule = (value: unknown) => string | undefined;

/**
 * Deeper than any real schema or tool. The engine's messages between its processes and its parsers of grammars are
 * recursive: vLLM 0.32 crashed on a field of 900 levels (`RecursionError` while it was pickled).
 */
const deepest = 64;
/** Answers to one request, over all its prompts: each is a separate sequence in the engine. */
const mostSequences = 1_024;

const ofOtherEngines: Rule = () => "is for engines that share their caches, or were extended; this one doesn't and isn't, so leave it out";
const object: Rule = (value) => (typeof value === "object" && !Array.isArray(value) ? undefined : "must be an object");

/** Fields that the engine accepts unchecked, or that clients must not set. */
const rules: Readonly<Record<string, Rule>> = {
  kv_transfer_params: ofOtherEngines,
  ec_transfer_params: ofOtherEngines,
  vllm_xargs: ofOtherEngines,
  structured_outputs: (value) => object(value) ?? nested(value),
  response_format: (value) => object(value),
};

/** What is wrong with a request, before it is sent to the engine; the engine itself refuses the rest. */
export function objectionTo(document: Readonly<Record<string, unknown>>): Objection | undefined {
  for (const [param, rule] of Object.entries(rules)) {
    const value = document[param];
    const message = value === undefined || value === null ? undefined : rule(value);
    if (message) return { param, message: `${param} ${message}` };
  }
  const sequences = Number(document.n ?? 1) * promptsOf(document.prompt);
  if (sequences > mostSequences)
    return {
      param: "n",
      message: `n times the number of prompts is ${sequences}; ask for ${mostSequences} answers at most, and for more in another request`,
    };
  for (const [param, value] of Object.entries(document)) {
    const message = unfit(value);
    if (message) return { param, message: `${param.slice(0, 63)} ${message}` };
  }
  return undefined;
}

const promptsOf = (prompt: unknown) => (Array.isArray(prompt) && typeof prompt[0] !== "number" ? prompt.length : 1);

/** Grammars come as text, whose brackets nest too. */
function nested(value: unknown): string | undefined {
  const texts = Object.values(value as object).filter((each) => typeof each === "string");
  return texts.some((text) => bracketsOf(text) > deepest)
    ? `holds brackets nested deeper than ${deepest} levels; make it flatter`
    : undefined;
}

function bracketsOf(text: string): number {
  let [open, most] = [0, 0];
  for (const character of text) {
    if ("([{".includes(character)) most = Math.max(most, ++open);
    else if (")]}".includes(character)) open--;
  }
  return most;
}

/** What no field may hold. Not recursive, because the value may be deeper than the stack. */
function unfit(value: unknown): string | undefined {
  let level = [value];
  for (let depth = 0; depth <= deepest; depth++) {
    if (level.some((each) => typeof each === "string" && !each.isWellFormed()))
      return "holds half of a surrogate pair, which is no text; send UTF-8";
    const containers = level.filter(isContainer);
    if (containers.length === 0) return undefined;
    level = containers.flatMap((each) => Object.values(each));
  }
  return `is nested deeper than ${deepest} levels; make it flatter`;
}

const isContainer = (value: unknown): value is object => typeof value === "object" && value !== null;
