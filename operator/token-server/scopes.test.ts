import { expect, it } from "vitest";
import { accessOf, rightFor, TooManyScopes } from "./scopes.ts";

it("each repository is asked for once, however its scopes are written", () => {
  const scopes = ["repository:rune/team/tasks:pull repository:rune/team/bases/coder:pull", "repository:rune/team/tasks:push,pull"];
  expect(accessOf(scopes)).toEqual([
    { repository: "rune/team/tasks", actions: ["pull", "push"] },
    { repository: "rune/team/bases/coder", actions: ["pull"] },
  ]);
});

it("a namespace may have several hyphens in a row", () => {
  expect(accessOf(["repository:rune/pr--7/tasks:pull"])).toEqual([{ repository: "rune/pr--7/tasks", actions: ["pull"] }]);
});

it.each([
  "registry:catalog:*",
  "repository(plugin):rune/team/tasks:pull",
  "repository:rune/team/../other/tasks:pull",
  "repository:Rune/team/tasks:pull",
  "repository:rune/team/tasks",
  "",
])("%s asks for nothing that anybody has", (scope) => {
  expect(accessOf([scope])).toEqual([]);
});

it("nobody is given deletion, nor everything at once", () => {
  expect(accessOf(["repository:rune/team/tasks:delete,*,pull"])).toEqual([{ repository: "rune/team/tasks", actions: ["pull"] }]);
});

it("more repositories than a client needs are refused", () => {
  const scopes = Array.from({ length: 11 }, (_, n) => `repository:rune/team/bases/b${n}:pull`);
  expect(() => accessOf(scopes)).toThrow(TooManyScopes);
  expect(accessOf(scopes.slice(1))).toHaveLength(10);
});

it.each(["bases", "bases/coder", "corpora", "tasks", "uploads"])("who may create artifacts in a namespace pushes to its %s", (name) => {
  expect(rightFor(`rune/team/${name}`, "push", [])).toEqual({ verb: "create", namespace: "team" });
  expect(rightFor(`rune/team/${name}`, "pull", [])).toEqual({ verb: "get", namespace: "team" });
});

it.each(["adapters", "hypernetworks", "trajectories", "reports", "adapters/mine"])("nobody pushes where Rune writes: %s", (name) => {
  expect(rightFor(`rune/team/${name}`, "push", [])).toBeUndefined();
  expect(rightFor(`rune/team/${name}`, "pull", [])).toEqual({ verb: "get", namespace: "team" });
});

it("what belongs to no namespace needs a right in the whole cluster", () => {
  expect(rightFor("rune/models/coder", "pull", ["team"])).toEqual({ verb: "get" });
  expect(rightFor("rune/models/coder", "push", ["team"])).toEqual({ verb: "create" });
  expect(rightFor("rune/team/else", "push", [])).toEqual({ verb: "create" });
});

it("nobody pushes to the task sets that come with the installation", () => {
  expect(rightFor("rune/tasks/humaneval", "push", [])).toBeUndefined();
});

it("a namespace that the installation isn't for has nothing in its registry", () => {
  expect(rightFor("rune/elsewhere/tasks", "pull", ["team"])).toBeUndefined();
  expect(rightFor("rune/elsewhere/tasks", "push", ["team"])).toBeUndefined();
  expect(rightFor("rune/team/tasks", "push", ["team"])).toBeDefined();
});
