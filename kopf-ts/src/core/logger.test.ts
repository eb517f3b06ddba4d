import { stripVTControlCharacters } from "node:util";
import { expect, test } from "vitest";
import { jsonLogger, loggerFrom, textLogger } from "./logger.ts";

test("a line is one JSON object with the fields of every ancestor; errors keep their message; lower levels are silent", () => {
  const lines: string[] = [];
  const logger = jsonLogger({ write: (line) => lines.push(line), now: () => new Date("2026-01-01T00:00:00Z") });
  const child = logger.child({ controller: "widget" }).child({ reconcileID: "1" });
  child.debug("unheard");
  child.error("it\nfailed", { error: new Error("broken") });
  expect(lines).toHaveLength(1);
  expect(lines[0]?.indexOf("\n")).toBe((lines[0]?.length ?? 0) - 1);
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({
    time: "2026-01-01T00:00:00.000Z",
    level: "error",
    message: "it\nfailed",
    controller: "widget",
    reconcileID: "1",
    error: { name: "Error", message: "broken" },
  });
});

test("for people a line is time, level, message and fields; what an error says stands below", () => {
  const lines: string[] = [];
  const logger = textLogger({ write: (line) => lines.push(stripVTControlCharacters(line)), now: () => new Date("2026-01-01T00:00:00Z") });
  const error = Object.assign(new Error("broken"), { stack: "Error: broken\n    at here" });
  logger.child({ controller: "widget" }).info("made", { size: 3, name: "two words", list: ["a"] });
  logger.error("it failed", { error, big: 1n });
  expect(lines).toEqual([
    '00:00:00.000 INFO  made controller=widget size=3 name="two words" list=["a"]\n',
    expect.stringMatching(/^00:00:00\.000 ERROR it failed error="broken" big=.*\n {2}Error: broken\n {6}at here\n$/),
  ]);
});

test("the environment says from which level on, and in which format; a terminal gets text unless it says otherwise", () => {
  const written = (environment: Record<string, string>, isTerminal = false) => {
    const lines: string[] = [];
    const logger = loggerFrom(environment, { write: (line) => lines.push(line), isTerminal });
    for (const level of ["debug", "info", "warn", "error"] as const) logger[level](level);
    return lines;
  };
  expect(written({}).map((line) => JSON.parse(line).level)).toEqual(["info", "warn", "error"]);
  expect(written({ KOPF_LOG_LEVEL: "debug" })).toHaveLength(4);
  expect(written({ KOPF_LOG_LEVEL: "error", KOPF_LOG_FORMAT: "text" })[0]).toMatch(/ERROR.* error\n$/);
  expect(written({}, true)[0]).not.toMatch(/^\{/);
  expect(written({ KOPF_LOG_FORMAT: "json" }, true)[0]).toMatch(/^\{/);
  expect(() => loggerFrom({ KOPF_LOG_LEVEL: "loud" })).toThrow('KOPF_LOG_LEVEL is "loud"; use one of debug, info, warn, error');
  expect(() => loggerFrom({ KOPF_LOG_FORMAT: "xml" })).toThrow("use one of json, text");
});
