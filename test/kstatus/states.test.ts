import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { kinds } from "../../crds/kinds/kinds.ts";
import { kstatus } from "../support/objects.ts";
import { file, states, textOf } from "./states.ts";

const all = states();

test("states.jsonl holds what the framework writes", () => {
  expect(readFileSync(file, "utf8"), "run `node test/kstatus/states.ts`").toBe(textOf(all));
});

test("every kind is there in every state that a wait can be in", () => {
  for (const { kind } of kinds) {
    const means = new Set(all.filter(({ name }) => name.startsWith(`${kind} `)).map((each) => each.means));
    expect(means, kind).toEqual(new Set(["InProgress", "Current", "Failed"]));
  }
  expect(new Set(all.map(({ name }) => name)).size).toBe(all.length);
});

describe("what tests on the cluster take for kstatus", () => {
  test.each(all.map((state) => [state.name, state] as const))("%s", (_, { object, means }) => {
    expect(kstatus(object as Parameters<typeof kstatus>[0])).toBe(means);
  });
});
