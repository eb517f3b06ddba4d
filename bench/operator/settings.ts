import { parseArgs } from "node:util";
import { type OperatorName, operatorNames } from "./operators.ts";

export const workloadNames = ["burst", "cold", "coldLarge", "steady", "hot", "children", "memory"] as const;
export type WorkloadName = (typeof workloadNames)[number];

export interface Sizes {
  readonly burst: number;
  readonly cold: number;
  /** Once, in the last round; 0: not at all. */
  readonly coldLarge: number;
  readonly steady: { readonly objects: number; readonly perSecond: number; readonly seconds: number };
  readonly hot: number;
  readonly children: { readonly parents: number; readonly each: number };
  readonly memory: number;
  readonly warmUp: number;
  readonly limitSeconds: number;
  /** A fresh etcd and API server for each workload, not only for each round: with many objects both slow down. */
  readonly freshServers: boolean;
}

export const full: Sizes = {
  burst: 5_000,
  cold: 10_000,
  coldLarge: 50_000,
  steady: { objects: 1_000, perSecond: 200, seconds: 30 },
  hot: 2_000,
  children: { parents: 100, each: 50 },
  memory: 10_000,
  warmUp: 500,
  limitSeconds: 240,
  freshServers: true,
};

export const quick: Sizes = {
  burst: 500,
  cold: 1_000,
  coldLarge: 0,
  steady: { objects: 200, perSecond: 50, seconds: 10 },
  hot: 300,
  children: { parents: 10, each: 10 },
  memory: 1_000,
  warmUp: 200,
  limitSeconds: 30,
  freshServers: false,
};

export interface Settings {
  readonly form: "full" | "quick";
  readonly sizes: Sizes;
  readonly rounds: number;
  readonly workers: number;
  readonly operators: readonly OperatorName[];
  readonly workloads: readonly WorkloadName[];
}

export const usage = `npm run bench:operator -- [--quick] [--rounds 3] [--only burst,cold,…] [--operators kopf-ts,controller-runtime,…]`;

export function settingsFrom(args: readonly string[]): Settings {
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: "boolean", default: false },
      rounds: { type: "string", default: "3" },
      only: { type: "string" },
      operators: { type: "string" },
    },
  });
  const rounds = Number(values.rounds);
  if (!Number.isInteger(rounds) || rounds < 1)
    throw new Error(`--rounds must be a whole number above 0, not "${values.rounds}"; usage: ${usage}`);
  return {
    form: values.quick ? "quick" : "full",
    sizes: values.quick ? quick : full,
    rounds,
    workers: 10,
    operators: chosen("--operators", values.operators, operatorNames),
    workloads: chosen("--only", values.only, workloadNames),
  };
}

function chosen<T extends string>(option: string, list: string | undefined, all: readonly T[]): readonly T[] {
  if (list === undefined) return all;
  const wanted = list.split(",");
  const unknown = wanted.find((name) => !all.includes(name as T));
  if (unknown !== undefined) throw new Error(`${option} accepts ${all.join(", ")}, not "${unknown}"; usage: ${usage}`);
  return all.filter((name) => wanted.includes(name));
}
