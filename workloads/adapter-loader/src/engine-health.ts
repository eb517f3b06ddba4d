import { type Clock, systemClock } from "@rune/clients/clock";
import { type Engine, EngineUnavailable } from "./engine.ts";

const every = 10_000;
const patience = 20_000;
/** Every base model continues this with text, never with an end-of-text token. */
const prompt = "The capital of France is";

/**
 * Whether the engine works: a real one-token completion, because `/health` lies when a rank is dead or the weights are
 * corrupted.
 */
export class EngineHealth {
  readonly #engine: Engine;
  readonly #base: string;
  readonly #clock: Clock;
  #ready = false;
  #lastAnswer = Number.NEGATIVE_INFINITY;
  #answersText: boolean | undefined;
  #problem = "the engine has not answered yet";
  #corrupted: number | undefined;
  #spoilt = false;
  #tokens: number | undefined;

  constructor(options: { engine: Engine; base: string; clock?: Clock }) {
    this.#engine = options.engine;
    this.#base = options.base;
    this.#clock = options.clock ?? systemClock;
  }

  get ready(): boolean {
    return this.#ready;
  }

  /** Why it isn't ready, as a sentence. */
  get problem(): string {
    return this.#ready ? "" : this.#problem;
  }

  /** The fault that only a restart of the engine cures; undefined while there is none. */
  get spoilt(): string | undefined {
    return this.#spoilt ? this.#problem : undefined;
  }

  /** The engine has exited or is another process now; what was recorded of the old one doesn't count. */
  restarted(): void {
    this.#answersText = undefined;
    this.#corrupted = undefined;
    this.#tokens = undefined;
    this.#spoilt = false;
    this.#fail("the engine is starting");
  }

  /** The engine's own count of corrupted answers: when it rises, only a restart helps. */
  corrupted(count: number): void {
    if (count > (this.#corrupted ?? 0)) this.#spoil(`the engine counted ${count} spoilt answers; it must be restarted`);
    this.#corrupted = Math.max(count, this.#corrupted ?? 0);
  }

  /** Sends the completion when it is due. */
  async check(): Promise<void> {
    if (this.#corrupted) return;
    if (this.#ready && this.#clock.now() - this.#lastAnswer < every) return;
    try {
      const { text, tokens } = await this.#engine.complete(this.#base, prompt, 1, patience);
      this.#judge(text, tokens);
      this.#tokens = (await this.#engine.vitals()).generatedTokens;
    } catch (error) {
      if (!(await this.#isBusy(error))) this.#fail((error as Error).message);
    }
  }

  /** A busy engine is slow, not dead: one that has produced tokens since the last check is alive. */
  async #isBusy(error: unknown): Promise<boolean> {
    if (!(error instanceof EngineUnavailable) || error.gone) return false;
    const before = this.#tokens;
    const tokens = await this.#engine.vitals().then(
      (vitals) => vitals.generatedTokens,
      () => undefined,
    );
    this.#tokens = tokens;
    return tokens !== undefined && before !== undefined && tokens > before;
  }

  #judge(text: string, tokens: number): void {
    const silent = text === "" && this.#answersText === true;
    if (tokens < 1) this.#fail("the engine answered without a token");
    else if (silent) this.#spoil("the base answers nothing any more; the engine is spoilt and must be restarted");
    else {
      this.#answersText ??= text !== "";
      this.#ready = true;
      this.#spoilt = false;
      this.#lastAnswer = this.#clock.now();
    }
  }

  #spoil(problem: string): void {
    this.#spoilt = true;
    this.#fail(problem);
  }

  #fail(problem: string): void {
    this.#ready = false;
    this.#problem = problem;
  }
}
