import {
  type DynamicObject,
  type FieldPath,
  Handlers,
  type KubeObject,
  type ObjectPatch,
  type Outcome,
  type OutcomeOf,
  pods,
  progressing,
  type Reconciler,
  ready,
  resource,
  type StatusFields,
  stalled,
  unchanged,
} from "kopf-ts";
import { describe, expect, expectTypeOf, test } from "vitest";
import { z } from "zod";

/** What must not compile is refused by the type check of the repository, for which an expected error that does not come is an error. */

interface Widget extends DynamicObject {
  spec: { size: number; tags?: Record<string, string>; parts?: { name: string }[] };
  status?: { phase?: "a" | "b"; replicas?: number; names?: string[]; place?: { node: string; zone?: string } };
}
const widgets = resource<Widget>({ group: "example.dev", version: "v1", kind: "Widget", plural: "widgets" });

const schema = z.object({
  spec: z.object({ size: z.number().int().default(1), mode: z.enum(["fast", "safe"]) }),
  status: z.object({ phase: z.enum(["a", "b"]), since: z.iso.datetime().transform((text) => new Date(text)) }).optional(),
});
const gadgets = resource({ group: "example.dev", version: "v1", kind: "Gadget", plural: "gadgets", schema });
type Gadget = NonNullable<typeof gadgets.objects>;

const widget = { metadata: { name: "a" }, spec: { size: 1 } } as Widget;

describe("an outcome", () => {
  test("names fields of status that the kind has, with values that they take, however it is built up", () => {
    const reconcile: Reconciler<Widget> = ({ spec, status }) => {
      if (spec.size === 0) return stalled("Empty", "spec.size must not be 0", { phase: "a" });
      if (spec.size > 9) return unchanged();
      if (spec.size > 5) return ready();
      const names: readonly string[] = ["x"];
      if (spec.size > 3) return progressing("Growing", "", { ...status, names, phase: undefined }).again(3);
      return ready({ phase: "b", names: ["x", "y"], place: { node: "n" } }).event("Normal", "Made", "it is made");
    };
    expect(reconcile(widget, {} as never)).toMatchObject({ kind: "ready", status: { phase: "b" } });
    expectTypeOf<Outcome>().toExtend<OutcomeOf<Widget>>();
    expectTypeOf(ready({ anything: 1 })).toExtend<OutcomeOf<KubeObject>>();
    expectTypeOf(ready({ anything: 1 })).toExtend<OutcomeOf<DynamicObject>>();
  });

  test("with another value, or a field that there is not, does not compile", () => {
    // @ts-expect-error 42 is no phase
    const number: Reconciler<Widget> = () => ready({ phase: 42 });
    // @ts-expect-error there is no such phase
    const phase: Reconciler<Widget> = () => ready({ phase: "nonsense" });
    // @ts-expect-error nor there, after a chain
    const chained: Reconciler<Widget> = async () => progressing("Made", "", { phase: "nonsense" }).again(3);
    // @ts-expect-error there is no field sizzle
    const field: Reconciler<Widget> = () => ready({ phase: "a", sizzle: 1 });
    // @ts-expect-error a field of status is written whole: place has a node
    const part: Reconciler<Widget> = () => ready({ place: { zone: "z" } });
    expect([number, phase, chained, field, part]).toHaveLength(5);
  });

  test("is typed by what the schema of a kind takes in: a time is written as text", () => {
    const reconcile: Reconciler<Gadget> = () => ready({ phase: "a", since: "2026-01-01T00:00:00Z" });
    // @ts-expect-error it is read as a Date and written as text
    const asDate: Reconciler<Gadget> = ({ status }) => ready({ since: status?.since });
    // @ts-expect-error there is no such phase
    const phase: Reconciler<Gadget> = () => ready({ phase: "nonsense" });
    expect([reconcile, asDate, phase]).toHaveLength(3);
    expectTypeOf<StatusFields<Gadget>>().toEqualTypeOf<{
      readonly phase?: "a" | "b" | undefined;
      readonly since?: string | undefined;
    }>();
  });
});

describe("a patch", () => {
  test("takes any part of what the kind has, and null", () => {
    const handlers = new Handlers();
    handlers.on.create(widgets, ({ patch }) => {
      patch.status.phase = "a";
      patch.status.place = { zone: "z" };
      patch.status.names = null;
      patch.spec.size = 3;
      patch.spec.tags = { any: "thing", gone: null };
      patch.data.anything = 1;
    });
    handlers.on.update(gadgets, ({ patch }) => {
      patch.status.since = "2026-01-01T00:00:00Z";
      patch.spec.mode = "safe";
    });
    handlers.on.create(pods, ({ patch }) => {
      patch.status.anything = patch.spec.anything;
    });
    expectTypeOf<ObjectPatch["status"]>().toBeAny();
  });

  test("with another value, or a field that there is not, does not compile", () => {
    const handlers = new Handlers();
    handlers.timer(widgets, { interval: 1 }, ({ patch }) => {
      // @ts-expect-error 42 is no phase
      patch.status.phase = 42;
      // @ts-expect-error there is no field sizzle
      patch.spec.sizzle = 1;
      // @ts-expect-error a node is a name
      patch.status.place = { node: 3 };
    });
    handlers.daemon(gadgets, ({ patch }) => {
      // @ts-expect-error there is no such mode
      patch.spec.mode = "nonsense";
      // @ts-expect-error it is written as text
      patch.status.since = new Date();
    });
  });
});

describe("a field path", () => {
  test("leads to a field of the kind; as steps it may lead anywhere", () => {
    const handlers = new Handlers();
    handlers.on.field(widgets, "spec.size", () => undefined);
    handlers.on.field(widgets, "spec.tags.colour", () => undefined);
    handlers.on.field(widgets, "status.place.zone", () => undefined);
    handlers.on.field(widgets, "metadata.labels.tier", () => undefined);
    handlers.on.field(widgets, ["metadata", "labels", "example.dev/tier"], () => undefined);
    handlers.on.field(gadgets, "spec.mode", () => undefined);
    handlers.on.field(pods, "spec.nodeName", () => undefined);
    handlers.on.update(widgets, { id: "whole", field: "spec" }, () => undefined);
    expectTypeOf<FieldPath>().toEqualTypeOf<string | readonly string[]>();
  });

  test("that leads nowhere does not compile", () => {
    const handlers = new Handlers();
    // @ts-expect-error there is no field sizzle
    handlers.on.field(widgets, "spec.sizzle", () => undefined);
    // @ts-expect-error nor such a part
    handlers.on.field(widgets, "status.place.planet", () => undefined);
    // @ts-expect-error nor in the kind of a schema
    handlers.on.field(gadgets, "spec.sizzle", () => undefined);
    // @ts-expect-error nor among the options
    handlers.on.update(widgets, { field: "spec.sizzle" }, () => undefined);
  });
});
