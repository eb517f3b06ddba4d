import { heldOutTask, type TaskSet, taskSet } from "@rune/crds/contracts/task-set";
import { z } from "zod";

/** A text that contains no task set; the message says where and why. */
export class NotATaskSet extends Error {}

/** Name of a set without one. It is part of the digest, so it is the same for all sources. */
const unnamed = "tasks";

/**
 * The task set in a text: a task set in JSON, a list of tasks in JSON, or one task per line. Tasks are sorted by id, so
 * that equal tasks are an equal set. Throws `NotATaskSet`.
 */
export function parseTaskSet(marked: string): TaskSet {
  const text = marked.replace(/^\uFEFF/, "");
  const begins = text.trimStart()[0];
  if (begins === undefined) throw new NotATaskSet("it is empty");
  if (begins === "[") return checked({ tasks: jsonOf(text) });
  if (begins !== "{")
    throw new NotATaskSet("it begins with neither { nor [; it takes a task set in JSON, a list of tasks, or a task a line");
  const whole = wholeObject(text);
  if (whole && ("tasks" in whole || "schema" in whole)) return checked(whole);
  return checked({ tasks: whole ? [whole] : linesOf(text) });
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new NotATaskSet(`it is no JSON: ${(error as Error).message}`);
  }
}

/** The object if the text is a single one; undefined for several, one per line, or none. */
function wholeObject(text: string): object | undefined {
  try {
    return JSON.parse(text);
  } catch (error) {
    const [first = "", ...others] = text.trim().split("\n");
    if (others.length > 0 && isJSON(first)) return undefined;
    if (others.length === 0 || first.trim() === "{") throw new NotATaskSet(`it is no JSON: ${(error as Error).message}`);
    return undefined;
  }
}

function isJSON(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

function linesOf(text: string): unknown[] {
  return text.split("\n").flatMap((line, index) => {
    if (line.trim() === "") return [];
    const where = `line ${index + 1}`;
    if (!isJSON(line)) throw new NotATaskSet(`${where} is no JSON; a task is a whole line`);
    const task = heldOutTask.safeParse(JSON.parse(line));
    if (!task.success) throw new NotATaskSet(`${where}: ${wordsOf(task.error)}`);
    return [task.data];
  });
}

function checked(value: object): TaskSet {
  const parsed = taskSet.safeParse({ schema: "rune.dev/taskset/v1", name: unnamed, ...value });
  if (!parsed.success) throw new NotATaskSet(wordsOf(parsed.error));
  return { ...parsed.data, tasks: parsed.data.tasks.toSorted((a, b) => (a.id < b.id ? -1 : 1)) };
}

/** The first few problems, each with its field. */
function wordsOf({ issues }: z.ZodError): string {
  const words = issues.slice(0, 3).map(({ path, message }) => (path.length > 0 ? `${z.core.toDotPath(path)}: ${message}` : message));
  return issues.length > 3 ? `${words.join("; ")}; and ${issues.length - 3} more problems` : words.join("; ");
}
