import { Refused } from "./refused.ts";

type Holder = { name: string; state: "Staging" | "Loaded" | "Refused" };

/** Throws `Refused` when there is no slot left; an adapter that has one keeps it. */
export function slotFor(name: string, entries: Iterable<Holder>, slots: number): void {
  const holders = [...entries].filter((entry) => entry.state !== "Refused").map((entry) => entry.name);
  if (holders.includes(name) || holders.length < slots) return;
  throw new Refused("NoAdapterSlot", `all ${slots} slots are taken by ${holders.join(", ")}; unload one, or raise spec.adapters.slots`);
}
