import { parseArgs } from "node:util";

/** What is measured, and each side's name; the first is Rune's, and ratios are the other to it (or it to the other where less is better). */
export const cases = {
  sftShared: ["rune", "trl"],
  sftUnlike: ["rune", "trl"],
  hyperStep: ["rune", "forwards"],
  generate: ["rune", "forward"],
  mergeCat: ["rune", "peft"],
  mergeSvd: ["rune", "peft"],
} as const;
export type CaseName = keyof typeof cases;
export const caseNames = Object.keys(cases) as CaseName[];

/** Sizes of one case, as `measure.py` reads them. */
export type Size = Readonly<Record<string, number>>;

const small = { hidden: 128, intermediate: 512, layers: 4, vocabulary: 8192 };
/** Qwen2.5-Coder-0.5B's shape, its vocabulary included: where all outputs are computed, they are a third of the work. */
const half = { hidden: 896, intermediate: 4864, layers: 24, vocabulary: 151_936 };

const quick: Readonly<Record<CaseName, Size>> = {
  sftShared: { ...small, examples: 16, epochs: 1 },
  sftUnlike: { ...small, examples: 8, epochs: 1, leastTokens: 200, mostTokens: 300, learntTokens: 40 },
  hyperStep: { ...small, width: 64, blocks: 2, batch: 4, repeats: 3 },
  generate: { ...small, width: 64, blocks: 2, batch: 4, repeats: 5 },
  mergeCat: { inputs: 4736, outputs: 896, mergeLayers: 1 },
  mergeSvd: { inputs: 4736, outputs: 896, mergeLayers: 1 },
};

const full: Readonly<Record<CaseName, Size>> = {
  sftShared: { ...half, examples: 48, epochs: 1 },
  sftUnlike: { ...half, examples: 12, epochs: 1, leastTokens: 350, mostTokens: 550, learntTokens: 60 },
  hyperStep: { ...half, width: 256, blocks: 4, batch: 8, repeats: 3 },
  generate: { ...half, width: 256, blocks: 4, batch: 8, repeats: 5 },
  mergeCat: { inputs: 18_944, outputs: 3_584, mergeLayers: 2 },
  mergeSvd: { inputs: 18_944, outputs: 3_584, mergeLayers: 2 },
};

export interface Settings {
  readonly form: "full" | "quick";
  readonly sizes: Readonly<Record<CaseName, Size>>;
  readonly only: readonly CaseName[];
  readonly rounds: number;
  /** An interpreter with the trainer's packages and TRL; one is prepared when unset. */
  readonly python?: string;
}

/** Throws a sentence for invalid arguments. */
export function settingsFrom(argv: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...argv],
    options: { quick: { type: "boolean" }, only: { type: "string" }, rounds: { type: "string", default: "3" }, python: { type: "string" } },
  });
  const only = values.only?.split(",") ?? caseNames;
  const unknown = only.filter((name) => !(name in cases));
  if (unknown.length > 0) throw new Error(`--only accepts ${caseNames.join(", ")}, not ${unknown.join(", ")}`);
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error(`--rounds must be a whole number of at least 1, not ${values.rounds}`);
  return {
    form: values.quick ? "quick" : "full",
    sizes: values.quick ? quick : full,
    only: only as CaseName[],
    rounds,
    ...(values.python ? { python: values.python } : {}),
  };
}
