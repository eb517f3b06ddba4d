import { parseArgs } from "node:util";
import { count } from "../shared/command-line.ts";
import type { Installation } from "../shared/installation.ts";

/** The size of the evolution. */
export interface Options extends Installation {
  readonly namespace: string;
  /** Sessions that met two of the project's six verbs each; each becomes an adapter. At most 15, because there are no more pairs. */
  readonly adapters: number;
  readonly generations: number;
  /** Copies of one adapter, which are a separate population. */
  readonly copies: number;
  /** While generations run, a pod is killed every N seconds; 0 for none. */
  readonly killEverySeconds: number;
  /** Kills a component after each effect of each generation. */
  readonly killAtEffects: boolean;
}

export const usage = `npm run example -- evolution [options]

  --adapters N      adapters to start with (12; 4 to 15)
  --generations N   maximum number of generations (3)
  --kill-every N    kills a pod every N seconds while generations run: a trainer, evaluator or sandbox, the operator, NATS or the registry
  --kill-at-effects kills one of them, in turn, right after each effect of each generation
  --namespace NAME  namespace of the objects (evolution)
`;

export function optionsFrom(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      adapters: { type: "string" },
      generations: { type: "string" },
      "kill-every": { type: "string" },
      "kill-at-effects": { type: "boolean", default: false },
      namespace: { type: "string", default: "evolution" },
    },
  });
  const adapters = count(values.adapters, 12, "--adapters");
  if (adapters < 4 || adapters > 15) throw new Error("--adapters must be from 4 to 15: six verbs have fifteen pairs");
  return {
    adapters,
    generations: count(values.generations, 3, "--generations"),
    copies: 4,
    killAtEffects: values["kill-at-effects"],
    killEverySeconds: count(values["kill-every"], 0, "--kill-every"),
    namespace: values.namespace,
    release: "rune",
    systemNamespace: "rune-system",
  };
}
