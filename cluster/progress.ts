/** Lines with the time since the command began; a long step shows every few seconds that it is still running. */
export type Progress = {
  say(line: string): void;
  /** Runs a step that may take minutes. `detail` sets what is shown beside its name. */
  step<T>(name: string, work: (detail: (text: string) => void) => Promise<T>): Promise<T>;
};

const heartbeatMilliseconds = 15_000;

export function progressTo(write: (text: string) => void, terminal: boolean, now: () => number = Date.now): Progress {
  const began = now();
  const stamp = (since = began) => seconds(now() - since);
  const say = (line: string) => write(`${stamp().padStart(8)}  ${line}\n`);
  return {
    say,
    async step(name, work) {
      const from = now();
      let detail = "";
      const line = () => `${name}${detail ? ` (${detail})` : ""}`;
      say(`${name} …`);
      const beat = setInterval(
        () => (terminal ? write(`\r\x1b[K${stamp().padStart(8)}  ${line()}`) : say(`${line()}, ${stamp(from)} so far`)),
        terminal ? 500 : heartbeatMilliseconds,
      );
      try {
        const result = await work((text) => {
          detail = text;
        });
        if (terminal) write("\r\x1b[K");
        say(`${line()}: done in ${stamp(from)}`);
        return result;
      } finally {
        clearInterval(beat);
      }
    },
  };
}

export function seconds(milliseconds: number): string {
  const s = milliseconds / 1000;
  return s < 60 ? `${s.toFixed(1)} s` : `${Math.floor(s / 60)} min ${String(Math.floor(s % 60)).padStart(2, "0")} s`;
}

export const progress = progressTo((text) => process.stderr.write(text), process.stderr.isTTY === true);
