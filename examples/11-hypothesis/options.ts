import { parseArgs } from "node:util";
import { count } from "../shared/command-line.ts";
import type { Installation } from "../shared/installation.ts";

/** How much of the experiment runs. The defaults are the plan's Phase 1. */
export interface Options extends Installation {
  readonly namespace: string;
  /** Sessions to learn from, on tasks of the Train part. */
  readonly sessions: number;
  /** Held-out tasks, of the Test part. */
  readonly heldOutTasks: number;
  readonly samples: number;
  /** Optimizer steps of the hypernetwork. */
  readonly steps: number;
  /** Fewest solved sessions that the hypernetwork learns from. */
  readonly minimumPairs: number;
  /** Most solved sessions that are trained on: on two cores more take too long. */
  readonly mostPairs: number;
  /** GPUs of the trainer: one if the images were built for them. */
  readonly gpus: 0 | 1;
  /** Whether the assessment becomes a page of docs/results. */
  readonly keep: boolean;
  /** Whether an earlier run that was interrupted is continued. */
  readonly resume: boolean;
}

export const usage = `npm run example -- hypothesis [options]

  --quick             a few tasks, programs and steps: only shows that it works
  --sessions N        sessions to learn from (82: all of HumanEval's Train part)
  --held-out-tasks N  tasks of the evaluation (25)
  --samples N         programs per held-out task and arm (5)
  --steps N           optimizer steps of the hypernetwork (40)
  --namespace NAME    namespace of the objects (hypothesis)
  --keep              writes the assessment into docs/results
  --continue          continues a run that was interrupted, with the same options; nothing that it made is deleted
`;

const whole = { sessions: 82, heldOutTasks: 25, samples: 5, steps: 40 };
const quick = { sessions: 16, heldOutTasks: 6, samples: 1, steps: 4 };
/** Of the sessions that may be solved, how many must be: 50 of 82. */
const solvedShare = { whole: 0.6, quick: 0.25 };
const numbers = { sessions: "sessions", "held-out-tasks": "heldOutTasks", samples: "samples", steps: "steps" } as const;

export function optionsFrom(argv: readonly string[], imageVariant: "cpu" | "cuda"): Options {
  const number = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: "boolean", default: false },
      keep: { type: "boolean", default: false },
      continue: { type: "boolean", default: false },
      namespace: { type: "string", default: "hypothesis" },
      sessions: number,
      "held-out-tasks": number,
      samples: number,
      steps: number,
    },
  });
  const size = { ...(values.quick ? quick : whole) };
  for (const [flag, field] of Object.entries(numbers)) size[field] = count(values[flag as keyof typeof numbers], size[field], `--${flag}`);
  const gpus = imageVariant === "cuda" ? 1 : 0;
  const minimumPairs = Math.max(4, Math.ceil(size.sessions * solvedShare[values.quick ? "quick" : "whole"]));
  const mostPairs = gpus > 0 ? size.sessions : minimumPairs;
  const { keep, continue: resume } = values;
  return {
    ...size,
    minimumPairs,
    mostPairs,
    gpus,
    keep,
    resume,
    namespace: values.namespace,
    release: "rune",
    systemNamespace: "rune-system",
  };
}
