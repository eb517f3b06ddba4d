import type { HeldOutTask } from "@rune/crds/contracts/task-set";
import { describe, expect, test } from "vitest";
import { contextRenderer, type Experience } from "./context.ts";
import { tasks } from "./fake-world.ts";

const lived = (name: string, changes: Partial<Experience> = {}): Experience => ({
  description: `Sort the ${name}.`,
  scope: { project: "parsers" },
  notes: [`use ${name}`],
  attempts: [{ program: `def ${name}(): pass`, passed: true, error: "" }],
  ...changes,
});
const asked = (changes: Partial<HeldOutTask>): HeldOutTask => ({ ...(tasks[0] as HeldOutTask), cluster: undefined, ...changes });
const context = { artifacts: [], pick: "Nearest" as const, as: "Notes" as const, maxTokens: 1000 };
const rows = lived("rows", { scope: { project: "parsers", domain: "csv" } });
const nodes = lived("nodes", { scope: { project: "parsers", domain: "xml" } });
const numbers = lived("numbers", { scope: { project: "arithmetic" } });
const all = [lived("anything"), rows, nodes, numbers];

describe("what is told before a task", () => {
  test.each<[string, Partial<HeldOutTask>, string[]]>([
    ["those of its narrowest scope", { scope: { project: "parsers", domain: "csv" } }, ["rows"]],
    ["those of a wider scope where none is as narrow", { scope: { project: "parsers", domain: "json" } }, ["anything"]],
    [
      "those of the most similar task where no scope takes it in",
      { scope: { project: "other" }, description: "Add up the numbers" },
      ["numbers"],
    ],
    ["nothing where no task has a word in common with it", { description: "quux" }, []],
  ])("is %s", (_, changes, names) => {
    const { text, trajectories } = contextRenderer(context, all)(asked(changes));
    expect(text).toBe(names.length > 0 ? `Notes from earlier runs:\n${names.map((name) => `- use ${name}`).join("\n")}` : "");
    expect(trajectories).toBe(names.length);
  });

  test("is what every session noted, each note once, with pick All", () => {
    const { text, trajectories } = contextRenderer({ ...context, pick: "All" }, [rows, nodes, rows])(asked({}));
    expect(text).toBe("Notes from earlier runs:\n- use rows\n- use nodes");
    expect(trajectories).toBe(2);
  });

  test("is what they did, an empty line between two, as Trajectories", () => {
    const { text, trajectories } = contextRenderer({ ...context, pick: "All", as: "Trajectories" }, [rows, nodes])(asked({}));
    expect(text).toBe(
      "Task: Sort the rows.\nAttempt:\n```python\ndef rows(): pass\n```\nPassed\n\nTask: Sort the nodes.\nAttempt:\n```python\ndef nodes(): pass\n```\nPassed",
    );
    expect(trajectories).toBe(2);
  });

  test.each(["Notes", "Trajectories"] as const)(
    "as %s is no longer than four characters a token, and what doesn't fit is left out",
    (as) => {
      const many = Array.from({ length: 40 }, (_, index) => lived(`thing${index}`));
      const { text, trajectories } = contextRenderer({ ...context, pick: "All", as, maxTokens: 64 }, many)(asked({}));
      expect(text.length).toBeLessThanOrEqual(256);
      expect(text.length).toBeGreaterThan(150);
      expect(trajectories).toBeGreaterThan(1);
      expect(trajectories).toBeLessThan(40);
    },
  );

  test("is nothing where nothing was noted, or the arm has no context", () => {
    expect(contextRenderer(context, [lived("rows", { notes: [] })])(asked({ scope: { project: "parsers" } }))).toEqual({
      text: "",
      trajectories: 0,
    });
    expect(contextRenderer(undefined, all)(asked({}))).toEqual({ text: "", trajectories: 0 });
  });
});
