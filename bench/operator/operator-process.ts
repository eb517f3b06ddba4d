import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { cores, pinned } from "./cores.ts";
import { monotonicMicroseconds, type Usage, usageOf } from "./proc.ts";

export interface Launch {
  readonly command: readonly string[];
  readonly kubeconfig: string;
  readonly mode: "status" | "children" | "cache";
  readonly namespace: string;
  readonly workers: number;
}

type Message = { synced?: boolean; passes?: number; lagMilliseconds?: number };

/** An operator under test, alone on its core. */
export class OperatorProcess {
  readonly startedAt = monotonicMicroseconds();
  readonly #child: ChildProcess;
  #listener: ((message: Message) => void) | undefined;

  constructor({ command, kubeconfig, mode, namespace, workers }: Launch) {
    const [program, ...args] = pinned(cores.operator, command);
    const env = {
      ...process.env,
      KUBECONFIG: kubeconfig,
      RUNE_BENCH_MODE: mode,
      RUNE_BENCH_NAMESPACE: namespace,
      RUNE_BENCH_WORKERS: String(workers),
    };
    this.#child = spawn(program, args, { env, stdio: ["ignore", "pipe", "inherit"] });
    process.once("exit", this.#kill);
    const lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    lines.on("line", (line) => this.#listener?.(JSON.parse(line) as Message));
  }

  /** Resolves when it reports that its caches are complete; returns the microseconds that this took. */
  async synced(): Promise<number> {
    await this.#message("its first line", (message) => message.synced);
    return monotonicMicroseconds() - this.startedAt;
  }

  /** How often its reconciler has been called. */
  async passes(): Promise<number> {
    const answer = this.#message("its number of passes", (message) => message.passes);
    this.#child.kill("SIGUSR2");
    return await answer;
  }

  /** 99.9th percentile of its event loop's delay since it was last asked, where the operator measures that. */
  async lagMilliseconds(): Promise<number> {
    const answer = this.#message("its event loop's delay", (message) => message.lagMilliseconds);
    this.#child.kill("SIGUSR2");
    return await answer;
  }

  /** Tells an operator whose world is played to let it go on. */
  release(): void {
    this.#child.kill("SIGHUP");
  }

  usage(): Usage {
    return usageOf(this.#child.pid as number);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const ended = new Promise((resolve) => this.#child.once("exit", resolve));
      this.#child.kill("SIGTERM");
      const insist = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(insist);
    }
    process.removeListener("exit", this.#kill);
  }

  readonly #kill = () => this.#child.kill("SIGKILL");

  #message<T>(what: string, pick: (message: Message) => T | undefined): Promise<T> {
    return new Promise((resolve, reject) => {
      const fail = () =>
        reject(new Error(`the operator \`${this.#child.spawnargs.join(" ")}\` ended or was silent; the bench waited for ${what}`));
      const timer = setTimeout(fail, 120_000);
      this.#child.once("exit", fail);
      this.#listener = (message) => {
        const found = pick(message);
        if (found === undefined) return;
        clearTimeout(timer);
        this.#child.removeListener("exit", fail);
        this.#listener = undefined;
        resolve(found);
      };
    });
  }
}
