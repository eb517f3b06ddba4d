export type Fault = "reset connections" | "throttle" | "expire watches" | "restart the API server" | "take the Lease";

export interface Planned {
  readonly atSeconds: number;
  readonly fault: Fault;
}

/** The share of writes that is answered with a conflict. */
export const conflictShare = 0.05;
export const throttleSeconds = 2;

/** From here to the end no process is restarted on purpose: memory is measured. 20 of 30 minutes. */
export function quietFromSeconds(minutes: number): number {
  return minutes * 20;
}

/**
 * The faults and their times: resets every 20 s, throttling every 30 s, expired watches every minute; the Lease taken
 * twice before memory is measured; three restarts of the API server.
 */
export function planFor(minutes: number): Planned[] {
  const total = minutes * 60;
  const every = (seconds: number, fault: Fault): Planned[] =>
    Array.from({ length: Math.ceil(total / seconds) - 1 }, (_, index) => ({ atSeconds: (index + 1) * seconds, fault }));
  const at = (fault: Fault, ...shares: number[]): Planned[] => shares.map((share) => ({ atSeconds: share * total, fault }));
  return [
    ...every(20, "reset connections"),
    ...every(30, "throttle"),
    // Ten seconds after a reset: right behind one there is no watch to expire.
    ...every(60, "expire watches").map((planned) => ({ ...planned, atSeconds: planned.atSeconds - 10 })),
    ...at("take the Lease", 0.08, 0.28),
    ...at("restart the API server", 0.18, 0.5, 0.75),
  ].sort((a, b) => a.atSeconds - b.atSeconds);
}
