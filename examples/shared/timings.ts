import { progress } from "@rune/cluster/progress";

/** The parts of an example: each shows progress while it runs, and its duration is recorded. */
export class Timings {
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

const minutes = (milliseconds: number) => Math.round(milliseconds / 6000) / 10;
