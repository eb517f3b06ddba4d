import { type Spread, spreadOf } from "../operator/statistics.ts";
import { picture } from "../operator/svg.ts";
import { type CaseName, caseNames, cases, type Size } from "./settings.ts";

export interface Sample {
  readonly round: number;
  readonly case: CaseName;
  readonly side: string;
  readonly seconds: number;
  /** Over all cores: least affected by other load on the machine. */
  readonly cpuSeconds: number;
  readonly tokens?: number;
  readonly peakMiB: number;
  /** PyTorch's type of the device: `cpu` or `cuda`. */
  readonly device: string;
}

export interface Summary {
  readonly case: CaseName;
  readonly size: Size;
  readonly device: string;
  readonly sides: readonly {
    readonly side: string;
    readonly seconds: Spread;
    readonly cpuSeconds: Spread;
    readonly tokensPerSecond?: Spread;
    readonly peakMiB: Spread;
  }[];
  /** Median seconds of the other side over Rune's: above 1, Rune is faster. */
  readonly ratio?: number;
  /** The same of CPU seconds. */
  readonly cpuRatio?: number;
}

type Side = Summary["sides"][number];

/** Every case that was measured, with its sides in their order. */
export function summarize(samples: readonly Sample[], sizes: Readonly<Record<CaseName, Size>>): Summary[] {
  return caseNames
    .map((name) => {
      const own = samples.filter((sample) => sample.case === name);
      const sides = cases[name].flatMap((side) =>
        sideOf(
          side,
          own.filter((sample) => sample.side === side),
        ),
      );
      const [ours, other] = sides;
      const over = (of: "seconds" | "cpuSeconds") => (other?.[of].median ?? Number.NaN) / (ours?.[of].median ?? Number.NaN);
      const device = own[0]?.device ?? "";
      return {
        ...{ case: name, size: sizes[name], device, sides },
        ...(ours && other ? { ratio: over("seconds"), cpuRatio: over("cpuSeconds") } : {}),
      };
    })
    .filter(({ sides }) => sides.length > 0);
}

/** Empty where nothing was measured. */
function sideOf(side: string, samples: readonly Sample[]): Side[] {
  const of = (pick: (sample: Sample) => number | undefined) => spreadOf(samples.map(pick));
  const [seconds, cpuSeconds, peakMiB] = [of((s) => s.seconds), of((s) => s.cpuSeconds), of((s) => s.peakMiB)];
  const tokensPerSecond = of((s) => s.tokens && s.tokens / s.seconds);
  if (!seconds || !cpuSeconds || !peakMiB) return [];
  return [{ side, seconds, cpuSeconds, peakMiB, ...(tokensPerSecond ? { tokensPerSecond } : {}) }];
}

export const titles: Readonly<Record<CaseName, string>> = {
  sftShared: "sft, prompts that share their beginning",
  sftUnlike: "sft, long prompts that share nothing",
  hyperStep: "a hypernetwork's step, and the base's forward passes in it",
  generate: "trajectory to adapter, and the encoder's forward pass in it",
  mergeCat: "merge by concatenation, a layer",
  mergeSvd: "merge by truncated SVD, a layer",
};
const colors: Readonly<Record<string, string>> = {
  rune: "#2563eb",
  trl: "#f59e0b",
  peft: "#f59e0b",
  forwards: "#94a3b8",
  forward: "#94a3b8",
};
const labels: Readonly<Record<string, string>> = { rune: "Rune", trl: "TRL", peft: "PEFT", forwards: "base alone", forward: "base alone" };

export function lines(summaries: readonly Summary[]): string {
  const rows = summaries.flatMap(({ case: name, sides, ratio, cpuRatio }) => [
    `${titles[name]}${ratio && cpuRatio ? ` (the other's time over Rune's: ${ratio.toFixed(2)}, CPU time ${cpuRatio.toFixed(2)})` : ""}`,
    ...sides.map(({ side, seconds, tokensPerSecond, peakMiB }) => {
      const speed = tokensPerSecond ? `, ${tokensPerSecond.median.toFixed(0)} tokens/s` : "";
      return `  ${(labels[side] ?? side).padEnd(12)}${seconds.median.toPrecision(3)} s${speed}, peak ${peakMiB.median} MiB`;
    }),
  ]);
  return rows.join("\n");
}

export function pictureOf(summaries: readonly Summary[], subtitle: string): string {
  const rows = summaries.map(({ case: name, sides }) => {
    const bars = (pick: (side: (typeof sides)[number]) => Spread | undefined) =>
      sides.map((side) => ({ label: labels[side.side] ?? side.side, color: colors[side.side] ?? "#64748b", spread: pick(side) }));
    const speed = sides.some(({ tokensPerSecond }) => tokensPerSecond);
    return {
      title: titles[name],
      panels: [
        speed
          ? { title: "speed", unit: "tokens/s, more is better", bars: bars((side) => side.tokensPerSecond) }
          : { title: "time", unit: "seconds, less is better", bars: bars((side) => side.seconds) },
        { title: "memory", unit: "peak MiB, less is better", bars: bars((side) => side.peakMiB) },
      ],
    };
  });
  const legend = ["rune", "trl", "forward"].map((side) => ({
    label: side === "trl" ? "TRL, PEFT" : (labels[side] as string),
    color: colors[side] as string,
  }));
  return picture("Training", subtitle, legend, rows);
}
