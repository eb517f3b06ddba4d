import type { Task } from "@rune/crds/kinds/agent-session";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutAfter, programOf } from "./program.ts";

const stub = "import lib\n\ndef solve(x):\n";
const task: Task = { id: "t", description: "Write solve.", tests: "assert solve()", entryPoint: "solve", stub };
const bare: Task = { ...task, stub: undefined };
const right = `${stub}    return lib.f(x)\n`;
const other = "import lib\n\ndef solve(y):\n    return lib.g(y)\n";

describe("goes on with the block that is open", () => {
  test.each([
    ["an answer that stops at its block's end", "    return lib.f(x)"],
    ["a closed block", "    return lib.f(x)\n```"],
    ["words after it", "    return lib.f(x)\n```\nThat is it: `solve` calls ```lib```."],
    ["an explanation with a block of its own", "    return lib.f(x)\n```\n\nUse it so:\n\n```python\nprint(solve(1))\n```\n"],
    ["an example that was cut off", "    return lib.f(x)\n```\nAn example:\n```python\ndef solve(x):\n    # as abo"],
    ["an example before the block was closed", "    return lib.f(x)\n\n```python\nprint(solve(1))\n```"],
    ["a fence as indented as the code", "    return lib.f(x)\n    ```\nDone."],
    ["a fence at the end of the last line", "    return lib.f(x)```\nDone."],
    ["a longer fence", "    return lib.f(x)\n`````\nDone."],
    ["line ends of another system", "    return lib.f(x)\r\n```\r\nDone."],
    ["the line's end that a template trimmed off the prompt", "\n    return lib.f(x)\n```"],
  ])("%s", (_, continuation) => {
    expect(programOf(task, continuation).replaceAll("\r", "")).toBe(right);
  });
});

describe("takes the block that an answer opens itself", () => {
  test.each([
    ["at once", `\`\`\`python\n${right}\`\`\``],
    ["with a short name", `\`\`\`py\n${right}\`\`\``],
    ["with a name and more", `\`\`\`python title="solve.py" linenums\n${right}\`\`\``],
    ["with tildes", `Sure.\n~~~python\n${right}~~~`],
    ["with a longer fence", `\`\`\`\`python\n${right}\`\`\`\`\nDone.`],
    ["after a sentence", `Here's the program, it's short:\n\n\`\`\`python\n${right}\`\`\`\nI hope it helps.`],
    ["without a name, after a sentence", `Here is the program:\n\`\`\`\n${right}\`\`\`\nI hope it helps.`],
    ["in a list", `1. Write it:\n   \`\`\`python\n${right.replaceAll(/^(?=.)/gm, "   ")}   \`\`\`\n2. Run it.`],
    ["after code in a sentence", `I use \`\`\`lib\`\`\` here:\n\`\`\`python\n${right}\`\`\``],
    ["before the answer was cut off", `Here it is:\n\`\`\`python\n${right}`],
    ["without the stub", "```python\n    return lib.f(x)\n```"],
    ["without the stub, after a sentence", "Here it is:\n```python\n    return lib.f(x)\n```"],
    ["without the stub's imports", "```python\ndef solve(x):\n    return lib.f(x)\n```"],
    ["after a wrong one", "    return 1\n```\nNo, that is wrong:\n```python\ndef solve(x):\n    return lib.f(x)\n```\nDone."],
    ["after another function's", `\`\`\`python\ndef g():\n    pass\n\`\`\`\nand\n\`\`\`python\n${right}\`\`\``],
    ["before another function's", `\`\`\`python\n${right}\`\`\`\nTest it:\n\`\`\`python\nresult = solve(1)\n\`\`\``],
    ["and never closes, before words that are no code", `\`\`\`python\n${right}\n`],
  ])("%s", (_, continuation) => {
    expect(programOf(task, continuation)).toBe(right);
    if (continuation.includes("import lib")) expect(programOf(bare, continuation)).toBe(right);
  });
});

test("a stub that is repeated stands once", () => {
  expect(programOf(task, `${other}\`\`\``)).toBe(other);
  expect(programOf(task, "def solve(y):\n    return lib.g(y)\n```")).toBe(other);
  expect(programOf(task, "    return 1\n\ndef solve(y):\n    return lib.g(y)\n```")).toBe(
    `${stub}    return 1\n\ndef solve(y):\n    return lib.g(y)\n`,
  );
});

test.each([
  ["an async function", "async def solve(x):\n    return 1\n"],
  ["a class", "class solve:\n    pass\n"],
  ["a name", "solve = lambda x: 1\n"],
  ["a typed name", "solve: object = max\n"],
  ["a decorated function", "@cache\n@trace\ndef solve(x):\n    return 1\n"],
])("%s is an entry point, too", (_, program) => {
  expect(programOf(bare, `Here:\n\`\`\`python\n${program}\`\`\`\n\`\`\`python\nprint(solve == 1)\n\`\`\``)).toBe(program);
});

test("what stands above a repeated function is kept once, its decorators with it", () => {
  const decorated = { ...task, stub: "import lib\nK = 1\n\n@lib.traced\ndef solve(x):\n" };
  expect(programOf(decorated, "```python\n@lib.traced\ndef solve(x):\n    return K\n```")).toBe(
    "import lib\nK = 1\n\n@lib.traced\ndef solve(x):\n    return K\n",
  );
  const long = { ...task, stub: "import lib\n\n@lib.traced\n@lib.cached(\n    size=4,\n)  # small\n# as documented\ndef solve(x):\n" };
  const whole = "@lib.traced\n@lib.cached(\n    size=4,\n)\ndef solve(x):\n    return 1\n";
  expect(programOf(long, `\`\`\`python\n${whole}\`\`\``)).toBe(`import lib\n\n${whole}`);
  expect(programOf({ ...task, stub: "class Helper:\n" }, "```python\ndef solve(x):\n    return 1\n```")).toBe(
    "def solve(x):\n    return 1\n",
  );
});

describe("a fence inside a program ends nothing", () => {
  test.each([
    ["in a string", '    return "```" + x\n'],
    ["in a string of a line", "    return '``` python' * 3\n"],
    ["in a comment", "    # ```python\n    return x\n"],
    ["in a docstring", '    """Doc.\n\n    ```python\n    solve(1)\n    ```\n    """\n    return x\n'],
    ["at the beginning of a docstring's line", "    '''Doc.\n```\nsolve(1)\n```\n'''\n    return x\n"],
    ["in a docstring with quotes and backslashes", '    r"""It\'s "so":\\""\n```\n\\"""\n```\n"""\n    return x\n'],
    ["with tildes", '    """\n~~~\n~~~\n"""\n    return ~~~x\n'],
  ])("%s", (_, body) => {
    const program = stub + body;
    expect(programOf(task, `${body}\`\`\`\nDone.`)).toBe(program);
    expect(programOf(task, `\`\`\`python\n${program}\`\`\`\nDone.`)).toBe(program);
    expect(programOf(bare, `Here it is:\n~~~~python\n${program}~~~~\nDone.`)).toBe(program);
  });
});

test("a program whose docstring never ends is taken up to its fence", () => {
  expect(programOf(task, '    """Doc.\n    return x\n```\nThat is it.')).toBe(`${stub}    """Doc.\n    return x\n`);
  expect(programOf(task, '    """Doc.\n    ```\n    return x')).toBe(`${stub}    """Doc.\n    \`\`\`\n    return x\n`);
});

test("an answer without any code is its words, and an empty one the stub", () => {
  expect(programOf(bare, "I can't do that.")).toBe("I can't do that.\n");
  expect(programOf(task, "")).toBe(stub);
  expect(programOf(bare, "```")).toBe("");
});

test("the same program comes out of every way of writing it", () => {
  const line = fc.constantFrom("y = x", "y = '```'", "# ```", 'z = """\n```\n"""', "w = f'{x}' \"`\"", "if x:\n        pass", "");
  const body = fc
    .array(line, { maxLength: 5 })
    .map((lines) => ["y = 0", ...lines, "return x"].map((each) => `    ${each}`.trimEnd()).join("\n"));
  const fence = fc.constantFrom("```", "````", "~~~");
  const info = fc.constantFrom("python", "py", "Python3", "python title=a.py");
  const before = fc.constantFrom("", "Here it is:\n", "Let's see, `x` it is.\n\n", "# Solution\n\n");
  const ends = ["", "\n", "\nDone.", '\n\nUse:\n```python\nprint("""solve""")\n```', "\n```"].map((rest) => (mark: string) => mark + rest);
  const after = fc.constantFrom(...ends, () => "");
  fc.assert(
    fc.property(body, fence, info, before, after, (code, mark, name, words, end) => {
      const program = `${stub}${code}\n`;
      for (const each of [task, bare]) expect(programOf(each, `${words}${mark}${name}\n${program}${end(mark)}`)).toBe(program);
      expect(programOf(task, `${code}\n${end("```")}`)).toBe(program);
    }),
    { numRuns: 2000 },
  );
});

test("whatever is answered gives a text, soon", () => {
  const pieces = fc.constantFrom("```", "\n", "~~~", '"""', "'''", "'", "#", "\\", "def solve", "python", " ", "x", "\ud800");
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (parts) => {
      expect(programOf(task, parts.join("")).isWellFormed()).toBe(true);
    }),
  );
  const started = performance.now();
  for (const hostile of ['```\n"""\n', "```python\n", "'''\\", "`".repeat(5), "\n ", "def solve\n@a\n", "@a\n", " \n"])
    programOf(task, hostile.repeat(20_000));
  expect(performance.now() - started).toBeLessThan(5000);
});

test("a program is cut to what a log record carries, between characters, and is valid Unicode", () => {
  const program = cutAfter(5000, programOf(bare, "\u{1F600}\n".repeat(10_000)));
  expect(Buffer.byteLength(JSON.stringify(program))).toBeLessThanOrEqual(5000);
  expect(Buffer.byteLength(JSON.stringify(program))).toBeGreaterThan(4000);
  expect(program.isWellFormed()).toBe(true);
  expect(programOf(task, "x = '\ud800'").isWellFormed()).toBe(true);
});
