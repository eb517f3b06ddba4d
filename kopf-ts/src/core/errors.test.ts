import { expect, test } from "vitest";
import { TerminalError } from "../outcome/reconciler.ts";
import { oddValues } from "../testing/odd-values.ts";
import { errorOf, messageOf } from "./errors.ts";
import { jsonLogger } from "./logger.ts";

test("an honest Error stays what it is", () => {
  const error = new TerminalError("the colour is unknown");
  expect(errorOf(error)).toBe(error);
});

test.each(Object.entries(oddValues()))("%s becomes an Error with a plain message", (_what, thrown) => {
  const error = errorOf(thrown);
  expect([typeof error.name, typeof error.message, error instanceof Error]).toEqual(["string", "string", true]);
  expect(error.message).not.toBe("");
  expect(`${messageOf(thrown)}`).toBe(error.message);
});

test("what was thrown is recognised in its words", () => {
  expect(messageOf("boom")).toBe("something other than an Error was thrown: boom");
  expect(messageOf(undefined)).toContain("undefined");
  expect(messageOf(Symbol("odd"))).toContain("Symbol(odd)");
  expect(messageOf({ code: 7 })).toContain('{"code":7}');
});

test.each(Object.entries(oddValues()))("the log takes %s as a field, and keeps the rest of the line", (_what, odd) => {
  const lines: string[] = [];
  const logger = jsonLogger({ write: (line) => lines.push(line) }).child({ controller: "widget" });
  logger.error("it failed", { error: odd, object: "shop/a" });
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] as string)).toMatchObject({ message: "it failed", controller: "widget", object: "shop/a" });
});
