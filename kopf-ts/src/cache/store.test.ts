import { describe, expect, test } from "vitest";
import type { DynamicObject } from "../api/object.ts";
import { type Change, Store } from "./store.ts";

const object = (name: string, resourceVersion: string, more: { uid?: string; color?: string; namespace?: string } = {}): DynamicObject => ({
  apiVersion: "v1",
  kind: "Thing",
  metadata: { name, namespace: more.namespace ?? "n", uid: more.uid ?? `uid-${name}`, resourceVersion, managedFields: [{ manager: "x" }] },
  spec: { color: more.color ?? "red", deep: { list: [1] } },
});
const told = (changes: Change<DynamicObject>[]) =>
  changes.map(({ type, object: { metadata } }) => `${type} ${metadata.name} ${metadata.uid}`);

describe("a store", () => {
  test("objects missing from a new list are deleted, with their last known state", () => {
    const store = new Store<DynamicObject>();
    store.replace([object("a", "1"), object("b", "2")], true);
    const changes = store.replace([object("b", "2")], false);
    expect(told(changes)).toEqual(["deleted a uid-a"]);
    expect(changes[0]?.object.spec.color).toBe("red");
    expect(store.get("n/a")).toBeUndefined();
  });

  test("an index function that throws loses no change, and files the object nowhere", () => {
    const failed: string[] = [];
    const store = new Store<DynamicObject>({ indexFailed: (index, { metadata }) => failed.push(`${index} ${metadata.name}`) });
    store.addIndex("color", ({ spec }) => spec.color.toLowerCase());
    const odd = (resourceVersion: string) => ({ ...object("b", resourceVersion), spec: {} });
    expect(told(store.replace([object("a", "1"), odd("2"), object("c", "3")], true))).toEqual([
      "added a uid-a",
      "added b uid-b",
      "added c uid-c",
    ]);
    expect(failed).toEqual(["color b"]);
    expect(store.byIndex("color", "red").map(({ metadata }) => metadata.name)).toEqual(["a", "c"]);
    expect(told(store.put({ ...object("a", "4"), spec: {} }))).toEqual(["updated a uid-a"]);
    expect(store.byIndex("color", "red").map(({ metadata }) => metadata.name)).toEqual(["c"]);
    expect(told(store.put(object("b", "5")))).toEqual(["updated b uid-b"]);
    expect(told(store.remove(object("c", "3")))).toEqual(["deleted c uid-c"]);
    expect(store.byIndex("color", "red").map(({ metadata }) => metadata.name)).toEqual(["b"]);
  });

  test("a list of one namespace deletes nothing in another", () => {
    const store = new Store<DynamicObject>();
    store.replace([object("a", "1", { namespace: "one" })], true, ({ metadata }) => metadata.namespace === "one");
    expect(store.replace([], true, ({ metadata }) => metadata.namespace === "two")).toEqual([]);
    expect(store.size).toBe(1);
  });

  test("a recreated name is a deletion and an addition, by list as by event", () => {
    const store = new Store<DynamicObject>();
    store.put(object("a", "1", { uid: "first" }));
    expect(told(store.put(object("a", "5", { uid: "second" })))).toEqual(["deleted a first", "added a second"]);
    expect(told(store.replace([object("a", "9", { uid: "third" })], false))).toEqual(["deleted a second", "added a third"]);
  });

  test("the late deletion of an older namesake changes nothing", () => {
    const store = new Store<DynamicObject>();
    store.put(object("a", "5", { uid: "second" }));
    expect(store.remove(object("a", "4", { uid: "first" }))).toEqual([]);
    expect(store.size).toBe(1);
  });

  test("a known resource version is no change", () => {
    const store = new Store<DynamicObject>();
    store.put(object("a", "1"));
    expect(store.put(object("a", "1"))).toEqual([]);
    expect(store.replace([object("a", "1")], false)).toEqual([]);
  });

  test("an update carries the old object", () => {
    const store = new Store<DynamicObject>();
    store.put(object("a", "1", { color: "red" }));
    const [change] = store.put(object("a", "2", { color: "blue" }));
    expect(change).toMatchObject({ type: "updated", old: { spec: { color: "red" } }, object: { spec: { color: "blue" } } });
  });

  test("objects are frozen, not copied, and come without managedFields", () => {
    const store = new Store<DynamicObject>();
    const original = object("a", "1");
    store.put(original);
    const stored = store.get("n/a")!;
    expect(stored).toBe(original);
    expect(stored.metadata.managedFields).toBeUndefined();
    expect(JSON.stringify(stored)).not.toContain("managedFields");
    expect(() => Object.assign(stored.metadata, { name: "b" })).toThrow(TypeError);
    expect(() => Object.assign(stored.spec, { color: "b" })).toThrow(TypeError);
  });

  test("deep freezing reaches every part", () => {
    const store = new Store<DynamicObject>({ freeze: "deep" });
    store.put(object("a", "1"));
    expect(() => store.get("n/a")!.spec.deep.list.push(2)).toThrow(TypeError);
  });

  test("indexes follow additions, changes, deletions and new lists", () => {
    const store = new Store<DynamicObject>();
    store.put(object("a", "1", { color: "red" }));
    store.addIndex("color", ({ spec }) => spec.color);
    const names = (color: string) => store.byIndex("color", color).map(({ metadata }) => metadata.name);
    expect(names("red")).toEqual(["a"]);
    store.put(object("a", "2", { color: "blue" }));
    store.put(object("b", "3", { color: "blue" }));
    expect([names("red"), names("blue")]).toEqual([[], ["a", "b"]]);
    store.remove(object("a", "4"));
    expect(names("blue")).toEqual(["b"]);
    store.replace([object("c", "5", { color: "blue" })], false);
    expect(names("blue")).toEqual(["c"]);
    expect(() => store.byIndex("size", "1")).toThrow("there is no index size");
  });

  test("an index function is its own index: filled when it is first used, kept afterwards, and asked once for each object", () => {
    const store = new Store<DynamicObject>();
    store.put(object("a", "1", { color: "red" }));
    const asked: string[] = [];
    const byColor = ({ metadata, spec }: DynamicObject) => {
      asked.push(metadata.name);
      return spec.color as string;
    };
    const names = (color: string) => store.byIndex(byColor, color).map(({ metadata }) => metadata.name);
    expect([names("red"), names("red"), names("blue")]).toEqual([["a"], ["a"], []]);
    store.put(object("b", "2", { color: "red" }));
    store.remove(object("a", "3"));
    expect(names("red")).toEqual(["b"]);
    expect(asked).toEqual(["a", "b"]);
  });

  test("a lookup by labels follows changes of the labels", () => {
    const store = new Store<DynamicObject>();
    const labelled = (name: string, version: string, labels: Record<string, string>) => {
      const { metadata, ...rest } = object(name, version);
      return { ...rest, metadata: { ...metadata, labels } };
    };
    const names = (labels: Record<string, string>) => store.list({ labels }).map(({ metadata }) => metadata.name);
    store.put(labelled("a", "1", { app: "x", tier: "1" }));
    store.put(labelled("b", "2", { app: "x" }));
    expect([names({}), names({ app: "x" }), names({ app: "x", tier: "1" }), names({ app: "y" })]).toEqual([
      ["a", "b"],
      ["a", "b"],
      ["a"],
      [],
    ]);
    store.put(labelled("b", "3", { app: "y", tier: "1" }));
    expect([names({ app: "x" }), names({ tier: "1", app: "y" })]).toEqual([["a"], ["b"]]);
  });

  test("a lookup by namespace finds those in it, with labels only those that have them", () => {
    const store = new Store<DynamicObject>();
    const put = (namespace: string, name: string, labels: Record<string, string> = {}) => {
      const { metadata, ...rest } = object(name, name);
      store.put({ ...rest, metadata: { ...metadata, namespace, labels } });
    };
    const names = (namespace: string, labels?: Record<string, string>) =>
      store.list({ namespace, labels }).map(({ metadata }) => metadata.name);
    put("one", "a", { app: "x" });
    put("two", "b", { app: "x" });
    expect([names("one"), names("two"), names("three")]).toEqual([["a"], ["b"], []]);
    put("one", "c");
    store.put({ ...object("a", "2"), metadata: { ...object("a", "2").metadata, namespace: "one", labels: { app: "x" } } });
    expect([names("one"), names("one", { app: "x" }), names("two", { app: "y" })]).toEqual([["a", "c"], ["a"], []]);
    expect(store.list().map(({ metadata }) => metadata.name)).toEqual(["a", "b", "c"]);
  });
});
