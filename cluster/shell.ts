import { type SpawnOptions, spawn } from "node:child_process";

export type RunOptions = {
  cwd?: string;
  env?: Record<string, string | undefined>;
  input?: string;
  /** called with each line of stdout and stderr as it comes */
  onLine?: (line: string) => void;
  timeoutSeconds?: number;
};

export type Result = { code: number; stdout: string; stderr: string };

/** Why a command failed, with its last lines of output: the message can be shown to a person. */
export class CommandFailed extends Error {
  readonly result: Result;
  constructor(command: string, result: Result) {
    const said = (result.stderr.trim() || result.stdout.trim()).split("\n").slice(-25).join("\n");
    super(`\`${command}\` failed with exit status ${result.code}${said ? `:\n${said}` : ""}`);
    this.result = result;
  }
}

/** Runs a command to its end and returns its output, whatever its exit status. */
export function attempt(command: string, args: string[], options: RunOptions = {}): Promise<Result> {
  const spawnOptions: SpawnOptions = {
    cwd: options.cwd,
    env: options.env ? { ...process.env, ...options.env } : process.env,
    stdio: ["pipe", "pipe", "pipe"],
    timeout: options.timeoutSeconds ? options.timeoutSeconds * 1000 : undefined,
  };
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, spawnOptions);
    const result: Result = { code: -1, stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const) {
      const lines = lineSplitter(options.onLine);
      child[name]?.setEncoding("utf8").on("data", (text: string) => {
        result[name] += text;
        lines(text);
      });
    }
    child.on("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "ENOENT" ? new Error(`${command} is not installed or not in PATH`) : error),
    );
    child.on("close", (code, signal) => resolve({ ...result, code: code ?? (signal === "SIGTERM" ? 143 : 137) }));
    child.stdin?.on("error", () => {}); // the command may end without reading its input
    child.stdin?.end(options.input ?? "");
  });
}

/** Runs a command and returns its stdout; throws CommandFailed if its exit status isn't 0. */
export async function run(command: string, args: string[], options: RunOptions = {}): Promise<string> {
  const result = await attempt(command, args, options);
  if (result.code !== 0) throw new CommandFailed([command, ...args].join(" ").slice(0, 300), result);
  return result.stdout;
}

/**
 * Starts a command that runs beside this process, and returns the first line of its output. It is stopped when it is
 * disposed of, and with this process however that ends, even by SIGKILL: a shell between the two sees its standard
 * input closed. It doesn't keep this process alive.
 */
export async function spawnBound(command: string, args: string[]): Promise<Disposable & { said: string }> {
  const child = spawn("sh", ["-c", whileHeld, "sh", command, ...args], { stdio: ["pipe", "pipe", "inherit"] });
  const said = await new Promise<string>((resolve, reject) => {
    child.stdout.once("data", (data: Buffer) => resolve(data.toString()));
    child.once("exit", (code) => reject(new Error(`\`${command} ${args.join(" ")}\` ended with exit status ${code}`)));
  });
  for (const held of [child, child.stdin, child.stdout] as { unref(): void }[]) held.unref();
  return { said, [Symbol.dispose]: () => void child.stdin.destroy() };
}

const whileHeld = `exec 3<&0
"$@" & command=$!
exec 2>/dev/null
{ read -r _ <&3; kill $command; } & watch=$!
wait $command; status=$?
kill $watch
exit $status`;

function lineSplitter(onLine: ((line: string) => void) | undefined): (text: string) => void {
  let rest = "";
  return (text) => {
    if (!onLine) return;
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  };
}
