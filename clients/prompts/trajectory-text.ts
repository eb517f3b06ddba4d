import type { Trajectory } from "@rune/crds/contracts/trajectory";
import { fence } from "@rune/crds/words/prompts";
import type { Message } from "../inference/inference.ts";

/** The parts of a trajectory that its text contains. */
export type Attempt = { program: string; passed: boolean; error: string };

/** What Python's `str.strip` removes; JavaScript's `trim` differs in a few control characters. */
const space = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
const ends = new RegExp(`^${space}+|${space}+$`, "g");
const strip = (text: string) => text.replace(ends, "");

/** Every executed program once, oldest first. */
export function attemptsOf({ records }: Pick<Trajectory, "records">): Attempt[] {
  const first = new Map<string, Attempt>();
  for (const record of records)
    if (record.type === "executed" && !first.has(record.program)) {
      const { passed, error } = record.execution;
      first.set(record.program, { program: record.program, passed, error });
    }
  return [...first.values()];
}

/**
 * A trajectory as text: the task, then every attempt with its result. If the text doesn't fit, the oldest failed
 * attempts are left out, then the oldest passed ones, but never the last; undefined if even that doesn't fit. The
 * trainer's `context_of` writes the same text (docs/contracts.md), so an evaluation's context arm gets the same text as
 * a hypernetwork and its teacher.
 */
export function trajectoryText(description: string, all: readonly Attempt[], fits: (text: string) => boolean): string | undefined {
  const removal = [...all.filter(({ passed }) => !passed), ...all.filter(({ passed }) => passed).slice(0, -1)];
  for (let left = 0; left <= removal.length; left++) {
    const out = new Set(removal.slice(0, left));
    const text = [`Task: ${strip(description)}`, ...all.filter((attempt) => !out.has(attempt)).map(attemptText)].join("\n");
    if (fits(text)) return text;
  }
  return undefined;
}

/** Prepends the context to the first user's turn, with an empty line before the question. */
export function inFrontOf(messages: readonly Message[], context: string): Message[] {
  const asked = messages.findIndex(({ role }) => role === "user");
  return messages.map((message, index) =>
    index === asked && context !== "" ? { ...message, content: `${context}\n\n${message.content}` } : message,
  );
}

function attemptText({ program, passed, error }: Attempt): string {
  return `Attempt:\n${fence}${strip(program)}\n\`\`\`\n${passed ? "Passed" : `Failed: ${strip(error)}`}`;
}
