import { describe, expect, it, test } from "vitest";
import { sameScope } from "../shared/scope.ts";
import { interval } from "../testing/evolution-world.ts";
import { inflationPoints } from "./selection-bias.ts";
import { tierOf } from "./tier.ts";

const at = (domain?: string, task?: string, project = "parsers") => ({ project, ...(domain && { domain }), ...(task && { task }) });

describe("where a child belongs", () => {
  it.each([
    ["of one task's adapters: the task's", [at("text", "pare"), at("text", "pare")], "Task", at("text", "pare")],
    ["of several tasks': the domain's", [at("text", "pare"), at("text", "fold")], "Domain", at("text")],
    ["of a task's and its domain's: the domain's", [at("text", "pare"), at("text")], "Domain", at("text")],
    ["of several domains': the project's", [at("text"), at("numbers")], "ProjectRoot", at()],
    ["of several domains' tasks of one name: the project's", [at("text", "fold"), at("numbers", "fold")], "ProjectRoot", at()],
  ] as const)("%s", (_, scopes, tier, scope) => {
    expect(tierOf(scopes)).toEqual({ tier, scope });
  });

  it("of several projects': nowhere, because nobody would choose it", () => {
    expect(tierOf([at("text"), at("text", undefined, "printers")])).toBeNull();
    expect(tierOf([{}, at()])).toBeNull();
  });
});

test("scopes are the same where every level is", () => {
  expect(sameScope(at("text"), { domain: "text", project: "parsers" })).toBe(true);
  expect(sameScope(at("text"), at("text", "pare"))).toBe(false);
});

describe("how much too good the best of several looks", () => {
  // Expected largest of k standard normal numbers (Harter 1961, table 1): 0.5642, 1.1630, 1.5388.
  it.each([
    [2, 0.5642],
    [5, 1.163],
    [10, 1.5388],
  ])("of %i equal ones is %f standard errors", (count, errors) => {
    const half = 1.959964 * 0.01;
    const points = inflationPoints(Array.from({ length: count }, () => interval(0.5, half)));
    expect(Math.abs(points - errors)).toBeLessThan(0.1);
  });

  it("of one is nothing", () => {
    expect(inflationPoints([interval(0.5)])).toBe(0);
    expect(inflationPoints([])).toBe(0);
  });
});
