import { errorOf, isHonestError } from "./thrown.ts";

/** What a line of the log says beside its message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** What the framework needs of a logger; pino's and console's children fit behind it in a few lines. */
export interface Logger {
  /** For whoever looks for a fault. */
  debug(message: string, fields?: LogFields): void;
  /** What happened, as it should. */
  info(message: string, fields?: LogFields): void;
  /** What went wrong and is tried again. */
  warn(message: string, fields?: LogFields): void;
  /** What went wrong and needs attention. */
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

const levels = { debug: 10, info: 20, warn: 30, error: 40 } as const;
/** The levels of a log, from the most to the least talkative. */
export type LogLevel = keyof typeof levels;

/**
 * Writes one JSON object a line: `time`, `level`, `message`, then the fields. Errors are written with name, message and stack.
 *
 * @param options - `level`: the least that is written, `info` if not given. `write`: takes each line, with its line feed; standard error if not given.
 *
 * @example
 * ```ts
 * import { Client, jsonLogger, Manager } from "kopf-ts";
 *
 * const logger = jsonLogger({ level: "debug", fields: { cluster: "staging" } });
 * const manager = new Manager({ client: await Client.fromEnvironment(process.env), logger });
 * ```
 */
export function jsonLogger(
  options: { level?: LogLevel; write?: (line: string) => void; fields?: LogFields; now?: () => Date } = {},
): Logger {
  const { level: least = "info", write = (line) => process.stderr.write(line), fields = {}, now = () => new Date() } = options;
  const log = (level: LogLevel) => (message: string, more?: LogFields) => {
    if (levels[level] < levels[least]) return;
    write(`${textOf({ time: now().toISOString(), level, message, ...fields, ...more })}\n`);
  };
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    child: (more) => jsonLogger({ ...options, fields: { ...fields, ...more } }),
  };
}

/** A logger that says nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLogger };

/** A field that JSON cannot hold is said in words, and costs the line nothing else. */
function textOf(fields: LogFields): string {
  try {
    return JSON.stringify(fields, plain);
  } catch {
    return JSON.stringify(Object.fromEntries(Object.entries(fields).map(([name, value]) => [name, sayable(value)])));
  }
}

function sayable(value: unknown): unknown {
  try {
    return JSON.parse(JSON.stringify(value, plain) ?? "null");
  } catch {
    return errorOf(value).message;
  }
}

/** Errors have no enumerable fields; a log line should still say what they were. */
function plain(_key: string, value: unknown): unknown {
  return isHonestError(value) ? { name: value.name, message: value.message, stack: value.stack } : value;
}
