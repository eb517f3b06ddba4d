import { type ChildProcess, spawn } from "node:child_process";
import { join } from "node:path";
import { cores, pinned } from "./cores.ts";
import type { Order, Report } from "./observer.ts";

export interface Answers {
  readonly sentAt: readonly number[];
  readonly answeredAt: readonly number[];
}

/** The bench's side of the channel to its observer. */
export class Observer {
  readonly #child: ChildProcess;
  readonly #heard: Report[] = [];
  #listener: ((report: Report) => void) | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (report: Report) => {
      if (this.#listener) this.#listener(report);
      else this.#heard.push(report);
    });
  }

  static async start(kubeconfig: string, namespace: string): Promise<Observer> {
    const [command, ...args] = pinned(cores.others, [process.execPath, join(import.meta.dirname, "observer.ts"), kubeconfig, namespace]);
    const observer = new Observer(spawn(command, args, { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
    await observer.#next();
    return observer;
  }

  /** Resets the count. */
  async forget(): Promise<void> {
    await this.#ask({ forget: true });
  }

  /** Waits for `count` answers, or until the time is up: then there are fewer. */
  async answers(count: number, withinMilliseconds: number): Promise<Answers> {
    return (await this.#ask({ answers: count, withinMilliseconds })) as Answers;
  }

  stop(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  #ask(order: Order): Promise<Report> {
    // With a callback, because a closed channel would otherwise end the bench and not this trial alone.
    if (this.#child.connected) this.#child.send(order, () => undefined);
    return this.#next();
  }

  #next(): Promise<Report> {
    const known = this.#heard.shift();
    if (known) return Promise.resolve(known);
    return new Promise((resolve, reject) => {
      const died = () => reject(new Error("the observer has ended; its message is above"));
      if (!this.#child.connected) return died();
      this.#child.once("exit", died);
      this.#listener = (report) => {
        this.#listener = undefined;
        this.#child.removeListener("exit", died);
        resolve(report);
      };
    });
  }
}
