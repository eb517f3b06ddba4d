import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A line of a replica's output: about its work, or of its log. */
export interface Line {
  readonly what?: "begin" | "end" | "aborted" | "started" | "stopped" | "SIGTERM";
  readonly id?: string;
  readonly pid?: number;
  /** Microseconds of the machine's monotonic clock. */
  readonly at: number;
  readonly port?: number;
  readonly message?: string;
  readonly url?: string;
}

export const microseconds = (): number => Number(process.hrtime.bigint() / 1000n);

/** A program of this folder in a separate process, with all its output. */
export class Replica {
  readonly lines: Line[] = [];
  #stderr = "";
  readonly #child: ChildProcess;
  readonly #exit: Promise<number | null>;

  constructor(program: string, environment: Record<string, string> = {}, preload: readonly string[] = []) {
    const imports = preload.flatMap((file) => ["--import", join(import.meta.dirname, file)]);
    const file = join(import.meta.dirname, program);
    this.#child = spawn(process.execPath, [...imports, file], {
      env: { ...process.env, ...environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    this.#child.stderr?.on("data", (data) => {
      this.#stderr += String(data);
    });
    if (this.#child.stdout) createInterface(this.#child.stdout).on("line", (line) => this.lines.push(JSON.parse(line) as Line));
    this.#exit = once(this.#child, "close").then(([code]) => code as number | null);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Returns when it was sent: in microseconds of the monotonic clock. */
  signal(name: NodeJS.Signals): number {
    this.#child.kill(name);
    return microseconds();
  }

  /** Its exit code, once all its output has been read. */
  get exit(): Promise<number | null> {
    return this.#exit;
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  begun(id = ""): Line[] {
    return this.lines.filter((line) => line.what === "begin" && line.id?.startsWith(id));
  }

  ended(id = ""): Line[] {
    return this.lines.filter((line) => line.what === "end" && line.id?.startsWith(id));
  }

  /** Its output after the first line that matches. */
  after(fits: (line: Line) => boolean): Line[] {
    const index = this.lines.findIndex(fits);
    return index < 0 ? [] : this.lines.slice(index + 1);
  }

  async kill(): Promise<void> {
    if (this.isRunning) this.#child.kill("SIGKILL");
    await this.#exit;
  }

  get said(): string {
    return `${this.lines.map((line) => JSON.stringify(line)).join("\n")}\n${this.#stderr}`;
  }
}

interface Run {
  readonly id: string;
  readonly pid: number;
  readonly from: number;
  readonly to: number;
}

/** The runs of some replicas. A run without an end lasted until its process's last sign of activity. */
export function runsOf(replica: Replica, lastSign: number): Run[] {
  const runs: Run[] = [];
  const open = new Map<string, number>();
  for (const { what, id = "", at } of replica.lines) {
    if (what === "begin") open.set(id, at);
    const from = open.get(id);
    if ((what !== "end" && what !== "aborted") || from === undefined) continue;
    open.delete(id);
    // A run that only ends when it is notified did nothing after its process was frozen.
    runs.push({ id, pid: replica.pid, from, to: what === "end" ? at : Math.min(at, Math.max(from, lastSign)) });
  }
  for (const [id, from] of open) runs.push({ id, pid: replica.pid, from, to: Math.max(from, lastSign) });
  return runs.filter((run) => run.to > run.from);
}

/** Pairs of runs of the same handler for the same object that overlapped in time. */
export function overlaps(runs: readonly Run[]): string[] {
  const found: string[] = [];
  for (const group of Map.groupBy(runs, ({ id }) => id).values()) {
    const sorted = group.toSorted((a, b) => a.from - b.from);
    sorted.forEach((run, index) => {
      const before = sorted[index - 1];
      if (before && run.from < before.to)
        found.push(`${run.id}: ${before.pid} ${before.from}..${before.to}, ${run.pid} ${run.from}..${run.to}`);
    });
  }
  return found;
}
