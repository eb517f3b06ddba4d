import { type DemandVerdict, type HeldAdapter, permanentRefusals, type Refusal } from "@rune/crds/contracts/loader";
import type { Staged } from "./adapter-files.ts";
import type { CanaryResult } from "./canary.ts";

/** One adapter in this pod. `at`: when it was refused, in milliseconds since the epoch. Staging with files waits for the engine; without, its files are being pulled. */
export type Entry = { name: string; digest: string } & (
  | { state: "Staging"; staged?: Staged; proven?: CanaryResult; message?: string }
  | { state: "Loaded"; staged: Staged; proven: CanaryResult }
  | { state: "Refused"; reason: Refusal; message: string; bootID: string; at: number; staged?: undefined; proven?: CanaryResult }
);

/** Refusals that end when the unavailable service is back. */
export const outages: readonly string[] = ["RegistryUnavailable", "EngineUnavailable"];

/** Refusals that a retry can't change: of the same bytes, or by an engine that may not survive another attempt. */
const lasting: readonly string[] = [...permanentRefusals, "EngineRefused"];

/** What clients receive about a refused adapter. */
export function verdictOf({ name, reason, message }: Extract<Entry, { state: "Refused" }>): DemandVerdict {
  const told = `the model ${name} was not loaded (${reason}): ${message}`.slice(0, 1024);
  return lasting.includes(reason) ? { message: told } : { message: told, retrySeconds: 2 };
}

/** What the operator receives about an entry. */
export function held(entry: Entry): HeldAdapter {
  const { name, digest, state, proven } = entry;
  const message = entry.state === "Loaded" ? proven?.message : entry.message;
  return {
    name,
    digest,
    state,
    ...(entry.state === "Refused" ? { reason: entry.reason } : {}),
    ...(message ? { message: message.slice(0, 1024) } : {}),
    ...(proven ? { canary: proven.canary } : {}),
    ...(proven?.answers ? { answers: { adapter: proven.answers.adapter.slice(0, 4096), base: proven.answers.base.slice(0, 4096) } } : {}),
  };
}
