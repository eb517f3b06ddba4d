import { parseArgs } from "node:util";
import type { Installation } from "../shared/installation.ts";

/** Overlay → the namespace that it puts its objects into. */
export const namespaces = { minilang: "plan-minilang", coder: "plan-coder", base: "plan" } as const;
export type Overlay = keyof typeof namespaces;

export interface Options extends Installation {
  readonly overlay: Overlay;
  readonly namespace: string;
  /** Whether only the data are stored, for a `kubectl apply -k` by hand. */
  readonly dataOnly: boolean;
  /** Phase whose gate is made impossible to pass. */
  readonly failGate?: string | undefined;
}

export const usage = `npm run example -- plan [options]

  --overlay NAME   minilang or coder (two cores each), or base (GPUs); minilang by default
  --data-only      only stores the data that the manifests name; run \`kubectl apply -k\` yourself
  --fail-gate N    sets the gate of Phase N (1 or 2) to 99 points, to show that no later phase starts
`;

export function optionsFrom(argv: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...argv],
    options: {
      overlay: { type: "string", default: "minilang" },
      "data-only": { type: "boolean", default: false },
      "fail-gate": { type: "string" },
    },
  });
  const { overlay, "data-only": dataOnly, "fail-gate": failGate } = values;
  if (!isOverlay(overlay)) throw new Error(`--overlay must be one of ${Object.keys(namespaces).join(", ")}, not ${overlay}`);
  if (failGate !== undefined && !["1", "2"].includes(failGate))
    throw new Error(`--fail-gate needs a phase whose gate is an Evaluation: 1 or 2, not ${failGate}`);
  return { overlay, namespace: namespaces[overlay], dataOnly, failGate, release: "rune", systemNamespace: "rune-system" };
}

const isOverlay = (name: string): name is Overlay => name in namespaces;
