import type { Completed } from "@rune/clients/inference/inference";
import { cutAfter, programOf } from "@rune/clients/prompts/program";
import type { LogRecord } from "@rune/crds/contracts/session-log";
import type { Task } from "@rune/crds/kinds/agent-session";

/** The parts of a model's answers that a log keeps. */
export type Answers = Pick<Completed, "texts" | "finishReasons" | "usage">;

const longestProgram = 65_536;

/**
 * The programs of some answers, each no longer than a record that holds all of them within `budget` bytes permits, and the
 * number of answers that are incomplete: they reached `maxTokens`, or their program was cut here.
 */
export function programsOf(
  task: Task,
  { texts, finishReasons }: Pick<Answers, "texts" | "finishReasons">,
  budget: number,
): Pick<Extract<LogRecord, { type: "generated" }>, "programs" | "cutOff"> {
  const longest = Math.min(longestProgram, Math.floor(budget / texts.length));
  const whole = texts.map((text) => programOf(task, text));
  const programs = whole.map((program) => cutAfter(longest, program));
  const cutOff = programs.filter((program, index) => finishReasons[index] === "length" || program !== whole[index]).length;
  return { programs, cutOff };
}
