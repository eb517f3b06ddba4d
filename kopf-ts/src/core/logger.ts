import { styleText } from "node:util";
import { errorOf, isReadableError } from "./errors.ts";

/** The fields of a log line besides its message. */
export type LogFields = Readonly<Record<string, unknown>>;

/** The framework's logger interface; pino's and console's children can be adapted to it in a few lines. */
export interface Logger {
  /** For debugging. */
  debug(message: string, fields?: LogFields): void;
  /** Normal events. */
  info(message: string, fields?: LogFields): void;
  /** Failures that are retried. */
  warn(message: string, fields?: LogFields): void;
  /** Failures that need attention. */
  error(message: string, fields?: LogFields): void;
  /** A logger that adds `fields` to every line. */
  child(fields: LogFields): Logger;
}

/** The levels of a log, from the most to the least talkative. */
export type LogLevel = "debug" | "info" | "warn" | "error";

const levels: Readonly<Record<LogLevel, number>> = { debug: 10, info: 20, warn: 30, error: 40 };

/** What a logger takes. */
export interface LoggerOptions {
  /** The least that is written: `info` if not given. */
  readonly level?: LogLevel | undefined;
  /** Takes each line, with its line feed; standard error if not given. */
  readonly write?: ((line: string) => void) | undefined;
  /** Said in every line. */
  readonly fields?: LogFields | undefined;
  /** The clock of this machine if not given. */
  readonly now?: (() => Date) | undefined;
}

type Line = (at: Date, level: LogLevel, message: string, fields: LogFields) => string;

function loggerOf(options: LoggerOptions, line: Line): Logger {
  const { level: least = "info", write = (text) => process.stderr.write(text), fields = {}, now = () => new Date() } = options;
  const log = (level: LogLevel) => (message: string, more?: LogFields) => {
    if (levels[level] >= levels[least]) write(`${line(now(), level, message, { ...fields, ...more })}\n`);
  };
  return {
    debug: log("debug"),
    info: log("info"),
    warn: log("warn"),
    error: log("error"),
    child: (more) => loggerOf({ ...options, fields: { ...fields, ...more } }, line),
  };
}

/**
 * Writes one JSON object per line: `time`, `level`, `message`, then the fields. Errors are written with name, message
 * and stack.
 *
 * @example
 * ```ts
 * import { Client, jsonLogger, Manager } from "kopf-ts";
 *
 * const logger = jsonLogger({ level: "debug", fields: { cluster: "staging" } });
 * const manager = new Manager({ client: await Client.fromEnvironment(process.env), logger });
 * ```
 */
export function jsonLogger(options: LoggerOptions = {}): Logger {
  return loggerOf(options, (at, level, message, fields) => textOf({ time: at.toISOString(), level, message, ...fields }));
}

const colours = { debug: "gray", info: "green", warn: "yellow", error: "red" } as const;

/**
 * Writes for people: time, level, message and fields in a line, what an error says in full below it. Coloured where
 * standard error is a terminal that wants it (`NO_COLOR`).
 *
 * @example
 * ```ts
 * import { Operator, textLogger } from "kopf-ts";
 *
 * const operator = new Operator({ logger: textLogger({ level: "debug" }) });
 * ```
 */
export function textLogger(options: LoggerOptions = {}): Logger {
  return loggerOf(options, (at, level, message, fields) => {
    const errors = Object.values(fields).filter(isReadableError);
    const said = Object.entries(fields).map(([name, value]) => styled("gray", ` ${name}=`) + wordsOf(value));
    const stacks = errors.map(({ stack, message: why }) => `\n  ${(stack ?? why).replaceAll("\n", "\n  ")}`);
    const time = at.toISOString().slice(11, 23);
    return `${styled("gray", time)} ${styled(colours[level], level.toUpperCase().padEnd(5))} ${message}${said.join("")}${stacks.join("")}`;
  });
}

function styled(format: "gray" | (typeof colours)[LogLevel], text: string): string {
  return styleText(format, text, { stream: process.stderr });
}

/** Words without spaces as they are, the rest as JSON, errors by their message. */
function wordsOf(value: unknown): string {
  if (isReadableError(value)) return JSON.stringify(value.message);
  if (typeof value === "string" && /^[^\s"]+$/.test(value)) return value;
  return JSON.stringify(sayable(value));
}

/**
 * The logger that the environment asks for: `KOPF_LOG_LEVEL` is `debug`, `info`, `warn` or `error`, `KOPF_LOG_FORMAT` is
 * `json` or `text`. Without a format: text on a terminal, else JSON. A Manager that is given no logger takes this one.
 *
 * @throws Error for any other value.
 */
export function loggerFrom(
  environment: Readonly<Record<string, string | undefined>>,
  options: Omit<LoggerOptions, "level"> & { readonly isTerminal?: boolean | undefined } = {},
): Logger {
  const { isTerminal = process.stderr.isTTY, ...others } = options;
  const level = choice(environment, "KOPF_LOG_LEVEL", Object.keys(levels) as LogLevel[]) ?? "info";
  const format = choice(environment, "KOPF_LOG_FORMAT", ["json", "text"]) ?? (isTerminal ? "text" : "json");
  return format === "text" ? textLogger({ ...others, level }) : jsonLogger({ ...others, level });
}

function choice<Word extends string>(
  environment: Readonly<Record<string, string | undefined>>,
  name: string,
  words: readonly Word[],
): Word | undefined {
  const value = environment[name];
  if (!value) return undefined;
  const known = words.find((word) => word === value);
  if (!known) throw new Error(`${name} is ${JSON.stringify(value)}; use one of ${words.join(", ")}`);
  return known;
}

/** A logger that writes nothing. */
export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {}, child: () => silentLogger };

/** A field that JSON cannot represent is described in words; the rest of the line is not affected. */
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

/** Errors have no enumerable fields, so they are written explicitly. */
function plain(_key: string, value: unknown): unknown {
  return isReadableError(value) ? { name: value.name, message: value.message, stack: value.stack } : value;
}
