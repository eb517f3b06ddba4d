import type { Demand } from "./demand.ts";
import { type Entry, verdictOf } from "./entry.ts";

/** The adapters that this pod holds, brings in or has refused. Clients that wait for one are notified of its arrival or refusal. */
export class Entries {
  readonly #byName = new Map<string, Entry>();
  readonly #demand: Demand;

  constructor(demand: Demand) {
    this.#demand = demand;
  }

  get(name: string): Entry | undefined {
    return this.#byName.get(name);
  }

  values(): Entry[] {
    return [...this.#byName.values()];
  }

  set(entry: Entry): Entry {
    this.#byName.set(entry.name, entry);
    if (entry.state === "Loaded") this.#demand.arrived(entry.name);
    if (entry.state === "Refused") this.#demand.answer(entry.name, verdictOf(entry));
    return entry;
  }

  /** As `set`, unless the adapter was removed in the meantime: a late result can't resurrect it. */
  update(entry: Entry): Entry {
    return this.#byName.has(entry.name) ? this.set(entry) : entry;
  }

  delete(name: string): void {
    this.#byName.delete(name);
  }

  counts(): Record<Entry["state"], number> {
    const counts = { Staging: 0, Loaded: 0, Refused: 0 };
    for (const entry of this.#byName.values()) counts[entry.state]++;
    return counts;
  }
}
