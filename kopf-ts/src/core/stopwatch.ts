import type { Clock } from "./clock.ts";

/** More than the wall clock is ever slewed by between two reads. */
const doubtMilliseconds = 1_000;

/**
 * How long ago a moment really was. A monotonic clock continues while the process is frozen (SIGSTOP, a cgroup's
 * freezer), but not while the whole machine sleeps; a wall clock includes that, and jumps. Where the two disagree, the
 * machine's uptime distinguishes a sleep from a jump.
 */
export class Stopwatch {
  readonly #clock: Clock;
  #monotonic = 0;
  #wall = 0;
  #uptime: number | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.restart();
  }

  restart(): void {
    this.#monotonic = this.#clock.monotonic();
    this.#wall = this.#clock.now().getTime();
    this.#uptime = this.#clock.uptime?.();
  }

  get elapsedMilliseconds(): number {
    const elapsed = this.#clock.monotonic() - this.#monotonic;
    const byWall = this.#clock.now().getTime() - this.#wall;
    if (byWall - elapsed < doubtMilliseconds || this.#uptime === undefined) return elapsed;
    return Math.max(elapsed, (this.#clock.uptime?.() ?? 0) - this.#uptime);
  }
}
