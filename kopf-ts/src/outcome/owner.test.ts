import { describe, expect, test } from "vitest";
import type { KubeObject } from "../api/object.ts";
import { adopt, controllerOf, isControlledBy, ownerReference, refersTo, setControllerReference } from "./owner.ts";

const object = (name: string, uid?: string): KubeObject => ({
  apiVersion: "example.dev/v1",
  kind: "Widget",
  metadata: { name, ...(uid ? { uid } : {}) },
});

describe("owners", () => {
  test("an owner reference names the object by UID, as its controller", () => {
    expect(ownerReference(object("a", "1"))).toEqual({
      apiVersion: "example.dev/v1",
      kind: "Widget",
      name: "a",
      uid: "1",
      controller: true,
      blockOwnerDeletion: true,
    });
  });

  test("an object that was never created can own nothing", () => {
    expect(() => ownerReference(object("a"))).toThrow("Widget a has no UID yet");
  });

  test("adopting makes a copy with one controller, and is refused when another has it", () => {
    const child = adopt(object("a", "1"), object("child", "9"));
    expect(isControlledBy(child, object("a", "1"))).toBe(true);
    expect(isControlledBy(child, object("a", "2"))).toBe(false);
    expect(adopt(object("a", "1"), child).metadata.ownerReferences).toHaveLength(1);
    expect(() => adopt(object("b", "2"), child)).toThrow("already controlled by Widget a");
    expect(controllerOf(object("child"))).toBeUndefined();
  });

  test("a reference speaks of a kind by group, whatever the version", () => {
    const reference = ownerReference(object("a", "1"));
    expect(refersTo(reference, { group: "example.dev", kind: "Widget" })).toBe(true);
    expect(refersTo(reference, { group: "", kind: "Widget" })).toBe(false);
    expect(refersTo({ ...reference, apiVersion: "example.dev/v2" }, { group: "example.dev", kind: "Widget" })).toBe(true);
  });
});

describe("setControllerReference", () => {
  const at = (kind: string, metadata: object) => ({
    apiVersion: "v1",
    kind,
    metadata: { name: kind.toLowerCase(), uid: kind, ...metadata },
  });

  test("makes the child the owner's, in place", () => {
    const child = at("Child", { namespace: "shop" });
    setControllerReference(at("Owner", { namespace: "shop" }), child);
    expect(child.metadata).toMatchObject({ ownerReferences: [{ kind: "Owner", uid: "Owner", controller: true }] });
  });

  test("refuses what the garbage collector would delete: a child elsewhere, or one without namespace", () => {
    const owner = at("Owner", { namespace: "shop" });
    expect(() => setControllerReference(owner, at("Child", { namespace: "other" }))).toThrow(
      "Child other/child is in namespace other, so Owner shop/owner cannot own it: both must be in one namespace",
    );
    expect(() => setControllerReference(owner, at("Child", {}))).toThrow("has no namespace");
    expect(() => setControllerReference(at("Owner", {}), at("Child", { namespace: "any" }))).not.toThrow();
  });
});
