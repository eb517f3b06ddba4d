import { availableParallelism } from "node:os";
import { run } from "@rune/cluster/shell";

/** The operator gets the last core, everything else (server, load, observer) the others. */
export interface Cores {
  readonly operator: string;
  readonly others: string;
  readonly all: string;
}

export function coresOf(count: number): Cores {
  if (count < 2) return { operator: "0", others: "0", all: "0" };
  const others = count === 2 ? "0" : `0-${count - 2}`;
  return { operator: String(count - 1), others, all: `0-${count - 1}` };
}

export const cores = coresOf(availableParallelism());

/** The command line that runs a program on those cores alone. */
export function pinned(which: string, command: readonly string[]): [string, ...string[]] {
  return ["taskset", "-c", which, ...command];
}

/** Moves this process, with all its threads. */
export async function moveSelf(which: string): Promise<void> {
  await run("taskset", ["-apc", which, String(process.pid)]);
}
