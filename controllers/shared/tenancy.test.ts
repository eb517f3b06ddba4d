import { expect, it } from "vitest";
import { foreignRepository, refuseForeign } from "./tenancy.ts";

it.each(["adapters", "hypernetworks", "trajectories", "reports", "tasks", "corpora", "bases", "bases/coder", "uploads"])(
  "what another namespace keeps in its %s is refused, in words that say what to do",
  (kept) => {
    const blocker = foreignRepository(`rune/b/${kept}`, "a");
    expect(blocker).toMatchObject({ reason: "ForeignRepository" });
    expect(blocker?.retrySeconds).toBeUndefined();
    expect(blocker?.message).toContain(`rune/b/${kept} belongs to the namespace b, and nothing in a may read it; create this object in b`);
    expect(() => refuseForeign(`rune/b/${kept}`, "a")).toThrow("belongs to the namespace b");
  },
);

it.each([
  "rune/a/adapters",
  "rune/a/trajectories",
  "rune/models/coder",
  "rune/a/tasks",
  "rune/a/bases/coder",
  "rune/a/toString",
  "rune//adapters",
  "rune/tasks/humaneval",
  "library/adapters",
  "rune/adapters",
  "adapters",
])("%s is its own or shared", (repository) => {
  expect(foreignRepository(repository, "a")).toBeNull();
  expect(() => refuseForeign(repository, "a")).not.toThrow();
});

it("what names no repository names no foreign one", () => {
  expect(foreignRepository(undefined, "a")).toBeNull();
});
