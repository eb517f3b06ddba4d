import { lastLine } from "@rune/clients/runner/last-line";
import type { Attempt } from "./session.ts";

const mostNotes = 3;
/** An error that lists more names than this suggests nothing: it lists everything there is. */
const mostSuggestions = 3;
const longestNote = 500;

const suggestion = /(?<!not |n't |cannot )\b(?:use|try|call) [`'"]?[A-Za-z_][\w.]*|\bdid you mean\b/gi;
const contrast = /\bexpected\b.+?\b(?:got|found|but was)\b/i;

/**
 * What the errors of a round taught, added to the known notes: the newest notes, each once.
 *
 * An error teaches when its last line says what to use instead. A fresh prompt with such notes works for small models, where showing
 * them their own failed code makes them repeat it.
 */
export function distil(known: readonly string[], attempts: readonly Pick<Attempt, "execution">[]): string[] {
  const notes = [...known];
  for (const { execution } of attempts) {
    const note = execution.passed ? undefined : lesson(execution.error);
    if (note && !notes.includes(note)) notes.push(note);
  }
  return notes.slice(-mostNotes);
}

/** The last line of an error, if it teaches something. */
export function lesson(error: string): string | undefined {
  const line = lastLine(error);
  if (!line || line.length > longestNote) return undefined;
  const suggestions = line.match(suggestion)?.length ?? 0;
  if (suggestions > mostSuggestions) return undefined;
  return suggestions > 0 || contrast.test(line) ? line : undefined;
}
