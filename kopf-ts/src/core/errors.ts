/**
 * A thrown value as an Error whose name, message and stack are plain text. JavaScript can throw anything: undefined,
 * objects without a prototype, getters that throw themselves, revoked proxies. Never throws; an ordinary Error is
 * returned as it is.
 */
export function errorOf(thrown: unknown): Error {
  if (isReadableError(thrown)) return thrown;
  return new Error(textOf(thrown), { cause: thrown });
}

/** A thrown value, in words. Never throws. */
export function messageOf(thrown: unknown): string {
  return errorOf(thrown).message;
}

/** Whether it is an Error whose fields can be read. */
export function isReadableError(thrown: unknown): thrown is Error {
  try {
    return thrown instanceof Error && [thrown.name, thrown.message, thrown.stack ?? ""].every((text) => typeof text === "string");
  } catch {
    return false;
  }
}

function textOf(value: unknown): string {
  try {
    return `something other than an Error was thrown: ${typeof value === "object" && value !== null ? described(value) : String(value)}`;
  } catch {
    return "something was thrown that cannot even be looked at";
  }
}

/** Its message; if that is empty, its fields. */
function described(value: object): string {
  const said = typeof value.toString === "function" ? String(value) : "[object Object]";
  return said === "[object Object]" ? (JSON.stringify(value) ?? said) : said;
}

/** Whether Node's own error has this code. */
export function isErrno(error: unknown, code: string): boolean {
  return error instanceof Error && (error as NodeJS.ErrnoException).code === code;
}
