import type { Task } from "@rune/crds/agent-session";
import type { Message } from "./inference.ts";

/** A program that was tried and the error that it met. */
export type Failure = { program: string; error: string };

/** Said when a task says nothing else. */
export const defaultSystem = "You write short Python programs without comments or docstrings. Answer with one Python code block.";

/** How answers are sampled when the spec doesn't say; an answer ends with its code block. */
export const defaultSampling = { temperature: "0.8", topP: "0.95", maxTokens: 512, stop: ["```"] };

const fence = "```python\n";
/** Characters of earlier programs and errors that a prompt may carry; the oldest are left out first. */
const longestHistory = 24_000;

/** A fresh prompt: the task, and the notes that earlier programs left. Agent, evaluator and trainer ask in these words. */
export function prompt(task: Task, notes: readonly string[] = []): Message[] {
  const lessons = notes.length > 0 ? `\nNotes from earlier runs:\n${notes.map((note) => `- ${note}`).join("\n")}` : "";
  return [
    { role: "system", content: task.system ?? defaultSystem },
    { role: "user", content: task.description + lessons },
  ];
}

/** The whole conversation: the task, then each failed program with its error. */
export function conversation(task: Task, failures: readonly Failure[]): Message[] {
  return [...prompt(task), ...newest(failures).flatMap(exchangeOf)];
}

/** Beginning of the answer that is given to the model: the open code block and the task's stub. It saves most tokens of an answer. */
export function prefill(task: Task): string {
  return fence + (task.stub ?? "");
}

/**
 * The program in a continuation of `prefill`: what stands before the end of the code block, with the stub in front.
 * It is cut after `longest` bytes of its JSON form, which is what a log has to carry.
 */
export function programOf(task: Task, continuation: string, longest = 65_536): string {
  const body = continuation.split("```")[0] ?? "";
  return cut(((task.stub ?? "") + body).toWellFormed(), longest);
}

function exchangeOf({ program, error }: Failure): Message[] {
  return [
    { role: "assistant", content: `${fence}${program.trimEnd()}\n\`\`\`` },
    { role: "user", content: `That program failed: ${error}\nWrite the whole program again.` },
  ];
}

function newest(failures: readonly Failure[]): Failure[] {
  const kept: Failure[] = [];
  let length = 0;
  for (const failure of failures.toReversed()) {
    length += failure.program.length + failure.error.length;
    if (length > longestHistory) break;
    kept.unshift(failure);
  }
  return kept;
}

function cut(program: string, longest: number): string {
  let characters = Array.from(program);
  while (Buffer.byteLength(JSON.stringify(characters.join(""))) > longest)
    characters = characters.slice(0, Math.floor(characters.length * 0.9));
  return characters.join("");
}
