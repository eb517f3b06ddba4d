import { expect, test } from "vitest";
import { jsonLogger } from "./logger.ts";

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
