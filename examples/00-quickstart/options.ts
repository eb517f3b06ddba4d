import { parseArgs } from "node:util";
import { count } from "../shared/command-line.ts";

/** How much of the scenario runs. The defaults are the whole of it. */
export interface Options {
  readonly trainingTasks: number;
  readonly heldOutTasks: number;
  readonly samples: number;
  readonly attempts: number;
  readonly epochs: number;
  /** GPUs of the trainer: one if the images were built for them. */
  readonly gpus: 0 | 1;
  readonly namespace: string;
  readonly release: string;
  readonly systemNamespace: string;
}

export const usage = `npm run quickstart -- [options]

  --quick                  a few tasks, one sample, one epoch: only shows that it works
  --training-tasks N       sessions to learn from (48)
  --held-out-tasks N       tasks of the evaluation (48)
  --samples N              programs per held-out task and arm (5)
  --epochs N               passes over the training data (5)
  --namespace NAME         namespace of the objects (quickstart)
`;

/** Five passes: two left the names half learnt (loss .23 after 28 steps, Pass@1 .350). */
const whole = { tasks: 48, samples: 5, attempts: 4, epochs: 5 };
const quick = { tasks: 6, samples: 1, attempts: 3, epochs: 1 };

export function optionsFrom(argv: readonly string[], imageVariant: "cpu" | "cuda"): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      quick: { type: "boolean", default: false },
      "training-tasks": { type: "string" },
      "held-out-tasks": { type: "string" },
      samples: { type: "string" },
      epochs: { type: "string" },
      namespace: { type: "string", default: "quickstart" },
    },
  });
  const size = values.quick ? quick : whole;
  return {
    trainingTasks: count(values["training-tasks"], size.tasks, "--training-tasks"),
    heldOutTasks: count(values["held-out-tasks"], size.tasks, "--held-out-tasks"),
    samples: count(values.samples, size.samples, "--samples"),
    attempts: size.attempts,
    epochs: count(values.epochs, size.epochs, "--epochs"),
    gpus: imageVariant === "cuda" ? 1 : 0,
    namespace: values.namespace,
    release: "rune",
    systemNamespace: "rune-system",
  };
}
