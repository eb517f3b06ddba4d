import { parseArgs } from "node:util";
import { count } from "../shared/command-line.ts";
import type { Installation } from "../shared/installation.ts";

export interface Options extends Installation {
  readonly namespace: string;
  /** Libraries that the hypernetwork learns from. */
  readonly training: number;
  /** Libraries that it is measured on. */
  readonly heldOut: number;
  readonly samples: number;
  /** Whether only the files are created, for trial/run.py on another machine. */
  readonly dataOnly: boolean;
}

export const usage = `npm run example -- libraries [options]

  --data-only         writes the libraries' files to out/libraries and stops; needs no cluster
  --training N        libraries to learn from (1200)
  --held-out N        libraries to measure on (64)
  --samples N         programs per held-out task and arm (5)
  --namespace NAME    namespace of the objects (libraries)

Without --data-only it needs a cluster with a GPU, and images built for it.
`;

export function optionsFrom(argv: readonly string[]): Options {
  const number = { type: "string" } as const;
  const { values } = parseArgs({
    args: [...argv],
    options: {
      "data-only": { type: "boolean", default: false },
      namespace: { type: "string", default: "libraries" },
      training: number,
      "held-out": number,
      samples: number,
    },
  });
  return {
    dataOnly: values["data-only"],
    training: count(values.training, 1200, "--training"),
    heldOut: count(values["held-out"], 64, "--held-out"),
    samples: count(values.samples, 5, "--samples"),
    namespace: values.namespace,
    release: "rune",
    systemNamespace: "rune-system",
  };
}
