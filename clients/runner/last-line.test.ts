import { expect, test } from "vitest";
import { lastLine } from "./last-line.ts";

test.each([
  ["of a traceback is what was raised", "Traceback\n  line 1\nAttributeError: jorana has no 'x'\n\n", "AttributeError: jorana has no 'x'"],
  ["holds nothing that a terminal would obey", "ValueError:\u001b[2J\tgone\r\n", "ValueError: [2J gone"],
  ["of nothing is nothing", " \n\t\n", ""],
])("the last line %s", (_, error, line) => {
  expect(lastLine(error)).toBe(line);
});

test("a line is cut at its bound, and never through a character", () => {
  expect(lastLine("abcdef", 6)).toBe("abcdef");
  expect(lastLine("abcdefg", 6)).toBe("abcde…");
  expect(lastLine("abcd😀fg", 6).isWellFormed()).toBe(true);
});
