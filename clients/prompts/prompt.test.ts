import { type Task, task as taskSchema } from "@rune/crds/kinds/agent-session";
import { vectors } from "@rune/crds/testing/vectors";
import { defaultSystem } from "@rune/crds/words/prompts";
import { expect, test } from "vitest";
import { z } from "zod";
import { conversation, defaultSampling, prefill, prompt } from "./prompt.ts";

const task: Task = {
  id: "t",
  description: "Write solve.",
  tests: "assert solve()",
  entryPoint: "solve",
  stub: "import lib\n\ndef solve(x):\n",
};

test("a fresh prompt is the system's word and the task", () => {
  expect(prompt(task)).toEqual([
    { role: "system", content: defaultSystem },
    { role: "user", content: "Write solve." },
  ]);
});

test("a task's own system message stands instead of the general one", () => {
  expect(prompt({ ...task, system: "Be brief." })[0]).toEqual({ role: "system", content: "Be brief." });
});

test("notes follow the task", () => {
  expect(prompt(task, ["use a", "use b"])[1]?.content).toBe("Write solve.\nNotes from earlier runs:\n- use a\n- use b");
});

test("a conversation shows each program with its error, and leaves out the oldest where it grows too long", () => {
  const short = conversation(task, [{ program: "p1\n", error: "e1" }], 100_000);
  expect(short.slice(2)).toEqual([
    { role: "assistant", content: "```python\np1\n```" },
    { role: "user", content: "That program failed: e1\nWrite the whole program again." },
  ]);
  const long = conversation(
    task,
    [
      { program: "a".repeat(20_000), error: "" },
      { program: "b".repeat(20_000), error: "" },
    ],
    100_000,
  );
  expect(long).toHaveLength(4);
  expect(long[2]?.content).toContain("bbb");
});

test("a conversation fits what the model takes: at least three bytes a token, with the template's words and the answer's beginning", () => {
  const failures = Array.from({ length: 40 }, (_, k) => ({ program: `p${k} ${"x".repeat(400)}`, error: `e${k} ${"ü".repeat(200)}` }));
  for (const tokens of [0, 100, 1000, 3584, 100_000]) {
    const messages = conversation(task, failures, tokens);
    const bytes = messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), Buffer.byteLength(prefill(task)));
    expect(messages.slice(0, 2)).toEqual(prompt(task));
    if (messages.length > 2) expect(Math.ceil(bytes / 3) + 10 * (messages.length + 1)).toBeLessThanOrEqual(tokens + 1);
    if (messages.length > 2) expect(messages.at(-1)?.content).toContain("e39");
  }
  const lengths = [0, 100, 1000, 3584, 100_000].map((tokens) => conversation(task, failures, tokens).length);
  expect(lengths).toEqual(lengths.toSorted((a, b) => a - b));
  expect(lengths.slice(0, 2)).toEqual([2, 2]);
  expect(lengths[2]).toBeGreaterThan(2);
});

test("a conversation counts each digit as two tokens: tokenizers split numbers", () => {
  const failures = Array.from({ length: 40 }, () => ({ program: "0, ".repeat(200), error: "" }));
  const shown = (conversation(task, failures, 3584).length - 2) / 2;
  expect(shown).toBeGreaterThan(2);
  expect(shown * 600).toBeLessThan(3584 * 1.1);
});

test("the answer begins with an open code block and the stub", () => {
  expect(prefill(task)).toBe("```python\nimport lib\n\ndef solve(x):\n");
  expect(prefill({ ...task, stub: undefined })).toBe("```python\n");
});

test.each([
  ["a closed block", "    return x\n```\nThat is it.", "    return x"],
  ["a docstring with a fence", '    """Doc.\n    ```\n    """\n    return x\n```\n', '    """Doc.\n    ```\n    """\n    return x'],
  ["a block of its own", "Here it is:\n```python\nx = 1\n```\nDone.", "Here it is:\n```python\nx = 1"],
])("where nothing else is asked for, an answer stops at a line that is a fence alone: %s", (_, answer, stopped) => {
  expect(defaultSampling.stop.reduce((text, stop) => text.split(stop)[0] ?? "", answer)).toBe(stopped);
});

const message = z.object({ role: z.string(), content: z.string() });
const asked = z.object({
  task: taskSchema,
  failure: z.object({ program: z.string(), error: z.string() }),
  prompt: z.array(message),
  prefill: z.string(),
  correction: z.array(message),
});
test.each(vectors("prompts", z.array(asked)))("the trainer learns $task.id in the same words", (known) => {
  expect(prompt(known.task)).toEqual(known.prompt);
  expect(prefill(known.task)).toBe(known.prefill);
  expect(conversation(known.task, [known.failure], 100_000)).toEqual(known.correction);
});
