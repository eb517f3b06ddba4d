/**
 * The last line of an error that says something, which in a traceback names what was raised; empty where none does. At most `longest`
 * characters, and no control characters, since people read it on terminals.
 */
export function lastLine(error: string, longest = Number.POSITIVE_INFINITY): string {
  const line =
    error
      .split("\n")
      .map(plain)
      .findLast((each) => each !== "") ?? "";
  return line.length <= longest ? line : `${line.slice(0, longest - 1).toWellFormed()}…`;
}

const plain = (line: string) => line.replace(/\p{Cc}+/gu, " ").trim();
