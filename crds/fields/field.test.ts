import { describe, expect, it } from "vitest";
import { objectName, repository, subdomainName } from "./field.ts";

const accepts = (schema: { safeParse(value: string): { success: boolean } }) => (name: string) => schema.safeParse(name).success;

describe("a name", () => {
  const dotted = ["team.token", "a.b.c", "1.2", "models-7b.v1", `${"a".repeat(126)}.${"b".repeat(126)}`];
  const refusedByBoth = ["", ".", "a.", ".a", "a..b", "a.-b", "a-.b", "A.b", "a_b", "a b", "-a", "a-", "a/b"];

  it.each(dotted)("of a Secret, a claim or a ConfigMap may be %s, as Kubernetes allows, and of an object of Rune's may not", (name) => {
    expect(accepts(subdomainName())(name)).toBe(true);
    expect(accepts(objectName(253))(name)).toBe(false);
  });

  it.each(refusedByBoth)("is never '%s'", (name) => {
    expect(accepts(subdomainName())(name)).toBe(false);
    expect(accepts(objectName())(name)).toBe(false);
  });

  it("has at most 253 characters for what is referred to, and 63 for what becomes a label's value", () => {
    expect(["a".repeat(253), "a".repeat(254)].map(accepts(subdomainName()))).toEqual([true, false]);
    expect(["a".repeat(63), "a".repeat(64)].map(accepts(objectName()))).toEqual([true, false]);
  });
});

describe("a repository", () => {
  it.each(["rune/pr--7/adapters", "rune/xn--bcher-kva/tasks", "rune/team/bases/qwen2.5-coder", "a/b__c/d_e.f"])(
    "may be %s, as the distribution specification allows",
    (name) => {
      expect(accepts(repository())(name)).toBe(true);
    },
  );

  it.each(["", "/a", "a/", "a//b", "a/../b", "a/.b", "a-/b", "-a", "a___b", "a..b", "a._b", "A", "a:b", "a@b", "a b"])(
    "is never '%s'",
    (name) => {
      expect(accepts(repository())(name)).toBe(false);
    },
  );
});
