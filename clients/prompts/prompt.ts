import type { Task } from "@rune/crds/kinds/agent-session";
import { afterFailure, defaultSystem, fence } from "@rune/crds/words/prompts";
import type { Message } from "../inference/inference.ts";

/** A failed program with its error. */
export type Failure = { program: string; error: string };

/**
 * The sampling where the spec doesn't set it. A completion ends with its code block, at a line that is only a fence:
 * docstrings may contain three backticks, and a line with a language opens a block.
 */
export const defaultSampling = { temperature: "0.8", topP: "0.95", maxTokens: 512, stop: ["\n```\n"] };

/** Bytes of earlier programs and errors that a prompt may carry at most; the oldest are left out first. */
const longestHistory = 24_000;
/** Low estimate for code and errors: overestimating a prompt loses a turn, underestimating it gets it refused. */
const bytesPerToken = 3;
/** Tokens that a chat template adds per message. */
const tokensPerMessage = 10;

/** A first prompt: the task, and notes from earlier programs. Agent, evaluator and trainer use the same words. */
export function prompt(task: Task, notes: readonly string[] = []): Message[] {
  const lessons = notes.length > 0 ? `\nNotes from earlier runs:\n${notes.map((note) => `- ${note}`).join("\n")}` : "";
  return [
    { role: "system", content: task.system ?? defaultSystem },
    { role: "user", content: task.description + lessons },
  ];
}

/**
 * The whole conversation: the task, then each failed program with its error, the newest that fit into `longestPrompt`
 * tokens together with the beginning of the answer.
 */
export function conversation(task: Task, failures: readonly Failure[], longestPrompt: number): Message[] {
  const fresh = prompt(task);
  const room = longestPrompt * bytesPerToken - bytesOf(fresh) - sizeOf(prefill(task)) - tokensPerMessage * bytesPerToken;
  return [...fresh, ...newest(failures.map(exchangeOf), Math.min(room, longestHistory)).flat()];
}

/** Beginning of the answer: the open code block and the task's stub. It saves most tokens of an answer. */
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

/** Size of messages in a prompt; the template's tokens, and those that digits make, are counted as bytes of text. */
function bytesOf(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => sum + sizeOf(content) + tokensPerMessage * bytesPerToken, 0);
}

/** Many tokenizers make a token of each digit, and another of what is between two numbers. */
const sizeOf = (text: string) => Buffer.byteLength(text) + (text.match(/\d/g)?.length ?? 0) * (2 * bytesPerToken - 1);
