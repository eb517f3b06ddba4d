import { type ChildProcess, spawn } from "node:child_process";
import { createWriteStream, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as pause } from "node:timers/promises";
import { monotonicMicroseconds, usageOf } from "../proc.ts";
import type { Runs } from "./runs.ts";

type Message = { key: string; from?: number; to?: number };

/** As Rune's own image sets it. By itself V8 doubles the young generation now and then, up to 128 MiB, which looks like a leak for half an hour. */
const youngGeneration = "--max-semi-space-size=8";

/** One of the operator's replicas: restarted a second after it ends, as by a kubelet. */
export class Replica {
  readonly #environment: Readonly<Record<string, string>>;
  readonly #log: string;
  readonly #runs: Runs;
  #child: ChildProcess | undefined;
  #stopping = false;
  #restart: NodeJS.Timeout | undefined;
  restarts = 0;

  constructor(environment: Readonly<Record<string, string>>, log: string, runs: Runs) {
    this.#environment = environment;
    this.#log = log;
    writeFileSync(log, "");
    this.#runs = runs;
    this.#start();
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** Resident memory in MiB; undefined while it is not running. */
  get rssMebibytes(): number | undefined {
    if (!this.#child?.pid || this.#child.exitCode !== null) return undefined;
    try {
      return usageOf(this.#child.pid).rssMebibytes;
    } catch {
      return undefined;
    }
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once("exit", resolve));
    child.kill("SIGTERM");
    const insist = setTimeout(() => child.kill("SIGKILL"), 40_000);
    await ended;
    clearTimeout(insist);
  }

  /** Makes it write its state into its log. */
  async explain(): Promise<void> {
    this.#child?.kill("SIGUSR2");
    await pause(1_000);
  }

  kill(): void {
    this.#stopping = true;
    this.#child?.kill("SIGKILL");
  }

  #start(): void {
    const child = spawn(process.execPath, [youngGeneration, join(import.meta.dirname, "operator.ts")], {
      env: { ...process.env, ...this.#environment },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child.stderr.pipe(createWriteStream(this.#log, { flags: "a" }));
    const pid = child.pid ?? 0;
    this.#child = child;
    createInterface({ input: child.stdout }).on("line", (line) => {
      const { key, from, to } = JSON.parse(line) as Message;
      if (from !== undefined) this.#runs.started(pid, key, from);
      if (to !== undefined) this.#runs.ended(pid, key, to);
    });
    child.once("close", () => {
      this.#runs.died(pid, monotonicMicroseconds());
      if (this.#stopping) return;
      this.restarts += 1;
      this.#restart = setTimeout(() => this.#start(), 1_000);
    });
  }
}
