import { parseArgs } from "node:util";
import { count } from "../shared/command-line.ts";
import type { Installation } from "../shared/installation.ts";

/** How much of the laboratory runs, and what its figures must reach. The defaults are the whole of it. */
export interface Options extends Installation {
  readonly quick: boolean;
  readonly namespace: string;
  /** Projects whose sessions the hypernetwork learns from. */
  readonly trainingProjects: number;
  /** Projects that are new to it. Each is one piece of evidence. */
  readonly heldOutProjects: number;
  readonly tasksPerProject: number;
  readonly samples: number;
  /** Optimizer steps of the hypernetwork. */
  readonly steps: number;
  /**
   * Points that the generated adapters must gain over the base, at the lower end of the interval, and over wrong ones.
   */
  readonly gainPoints: number;
  /** Directory that the base is written to, and nothing else is done. */
  readonly baseOnly?: string;
}

export const usage = `npm run example -- minilang [options]

  --quick             fewer steps, projects and programs, and lower thresholds: shows both verdicts in a few minutes
  --steps N           optimizer steps of the hypernetwork (1000)
  --namespace NAME    namespace of the objects (minilang)
  --base DIRECTORY    writes the base model to this directory, and does nothing else
`;

const whole = { trainingProjects: 1500, heldOutProjects: 40, tasksPerProject: 5, samples: 5, steps: 1000, gainPoints: 40 };
const quick = { trainingProjects: 1000, heldOutProjects: 20, tasksPerProject: 3, samples: 2, steps: 400, gainPoints: 20 };

export function optionsFrom(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: "boolean", default: false },
      steps: { type: "string" },
      namespace: { type: "string", default: "minilang" },
      base: { type: "string" },
    },
  });
  const size = values.quick ? quick : whole;
  const steps = count(values.steps, size.steps, "--steps");
  const { base: baseOnly, namespace } = values;
  return { ...size, steps, quick: values.quick, namespace, release: "rune", systemNamespace: "rune-system", ...(baseOnly && { baseOnly }) };
}
