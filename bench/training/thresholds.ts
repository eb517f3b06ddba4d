import { type Summary, titles } from "./report.ts";
import type { CaseName } from "./settings.ts";

interface Threshold {
  /** Least ratio of the other side's time to Rune's. */
  readonly ratio: number;
  readonly words: string;
}

/** Both sides of `sft` process the same tokens, so the ratio of their times is that of their tokens per second. */
const beside = (times: number): Threshold => ({ ratio: times, words: `at least ${times.toFixed(1)} × TRL's tokens/s` });

/** What the project promises, at the full sizes and by device. */
const thresholds: Readonly<Partial<Record<CaseName, (device: string) => Threshold>>> = {
  sftShared: (device) => beside(device === "cpu" ? 1.5 : 1),
  sftUnlike: (device) => beside(device === "cpu" ? 1.5 : 1),
  generate: () => ({ ratio: 1 / 1.2, words: "at most 1.2 × the time of the encoder's forward pass" }),
};

export interface Verdict {
  readonly case: CaseName;
  readonly verdict: "passed" | "missed";
  /** What is promised, and what was measured. */
  readonly words: string;
}

/** A verdict for each case that something is promised of and whose sides were both measured. */
export function verdictsOf(summaries: readonly Summary[]): Verdict[] {
  return summaries.flatMap(({ case: name, device, ratio }) => {
    const threshold = thresholds[name]?.(device);
    if (!threshold || ratio === undefined) return [];
    const found = name === "generate" ? 1 / ratio : ratio;
    return [
      {
        case: name,
        verdict: ratio >= threshold.ratio ? ("passed" as const) : ("missed" as const),
        words: `${titles[name]}: ${threshold.words}, measured ${found.toFixed(2)} ×`,
      },
    ];
  });
}
