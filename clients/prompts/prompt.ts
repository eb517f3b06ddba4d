import type { Task } from "@rune/crds/kinds/agent-session";
import { afterFailure, defaultSystem, fence } from "@rune/crds/words/prompts";
import type { Message } from "../inference/inference.ts";

/** A program that was tried and the error that it met. */
export type Failure = { program: string; error: string };

/**
 * How answers are sampled when the spec doesn't say. An answer ends with its code block: with a line that is a fence alone, since three
 * backticks stand in docstrings too, and a line with a language opens a block.
 */
export const defaultSampling = { temperature: "0.8", topP: "0.95", maxTokens: 512, stop: ["\n```\n"] };

/** Bytes of earlier programs and errors that a prompt may carry at most; the oldest are left out first. */
const longestHistory = 24_000;
/** A token of code and errors has more bytes than this, nearly always: a prompt that is guessed too long loses a turn, one too short is refused. */
const bytesPerToken = 3;
/** What a chat template puts around a message. */
const tokensPerMessage = 10;

/** A fresh prompt: the task, and the notes that earlier programs left. Agent, evaluator and trainer ask in these words. */
export function prompt(task: Task, notes: readonly string[] = []): Message[] {
  const lessons = notes.length > 0 ? `\nNotes from earlier runs:\n${notes.map((note) => `- ${note}`).join("\n")}` : "";
  return [
    { role: "system", content: task.system ?? defaultSystem },
    { role: "user", content: task.description + lessons },
  ];
}

/**
 * The whole conversation: the task, then each failed program with its error, the newest that fit into `longestPrompt` tokens together
 * with the beginning of the answer.
 */
export function conversation(task: Task, failures: readonly Failure[], longestPrompt: number): Message[] {
  const fresh = prompt(task);
  const room = longestPrompt * bytesPerToken - bytesOf(fresh) - Buffer.byteLength(prefill(task)) - tokensPerMessage * bytesPerToken;
  return [...fresh, ...newest(failures.map(exchangeOf), Math.min(room, longestHistory)).flat()];
}

/** Beginning of the answer that is given to the model: the open code block and the task's stub. It saves most tokens of an answer. */
export function prefill(task: Task): string {
  return fence + (task.stub ?? "");
}

function exchangeOf({ program, error }: Failure): Message[] {
  return [
    { role: "assistant", content: `${fence}${program.trimEnd()}\n\`\`\`` },
    { role: "user", content: `${afterFailure.before}${error}${afterFailure.after}` },
  ];
}

function newest(exchanges: readonly Message[][], room: number): Message[][] {
  const kept: Message[][] = [];
  let bytes = 0;
  for (const exchange of exchanges.toReversed()) {
    bytes += bytesOf(exchange);
    if (bytes > room) break;
    kept.unshift(exchange);
  }
  return kept;
}

/** What messages cost of a prompt, the template's own words counted as if they were bytes of text. */
function bytesOf(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => sum + Buffer.byteLength(content) + tokensPerMessage * bytesPerToken, 0);
}
