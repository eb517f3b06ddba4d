import { progress } from "@rune/cluster/progress";

/** Parts of an example: each shows progress while it runs, and its duration is recorded. */
export class Parts {
  readonly #began = Date.now();
  readonly #milliseconds: Record<string, number> = {};

  /** Runs a part. `key` is its name in the figures, `name` what is shown. */
  async run<T>(key: string, name: string, work: (detail: (text: string) => void) => Promise<T>): Promise<T> {
    const from = Date.now();
    const result = await progress.step(name, work);
    this.#milliseconds[key] = Date.now() - from;
    return result;
  }

  /** Minutes of all, and of each part, to a tenth. */
  get figures(): { minutes: number; parts: Record<string, number> } {
    const parts = Object.entries(this.#milliseconds).map(([key, value]) => [key, minutes(value)]);
    return { minutes: minutes(Date.now() - this.#began), parts: Object.fromEntries(parts) };
  }
}

/** Lines of a report: the duration of each part, the longest first. */
export function timesOf({ minutes, parts }: Parts["figures"], width = 26): string {
  const longest = Object.entries(parts).toSorted((a, b) => b[1] - a[1]);
  const lines = longest.map(([part, value]) => `    ${part.padEnd(width)} ${value.toFixed(1).padStart(5)} min`);
  return [`  Where the time went (${minutes} minutes)`, ...lines].join("\n");
}

/** Lines of a report: the example's claims, and whether they held. */
export function checksShown(checks: Readonly<Record<string, boolean>>): string {
  const lines = Object.entries(checks).map(([what, holds]) => `    ${holds ? "yes" : "NO "}  ${what}`);
  return ["  What this was to show", ...lines].join("\n");
}

const minutes = (milliseconds: number) => Math.round(milliseconds / 6000) / 10;
