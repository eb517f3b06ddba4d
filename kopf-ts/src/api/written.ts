import type { DynamicObject, KubeObject } from "./object.ts";

/** Never there: only carries, in the type of an object, the shape in which it is written. */
declare const asWritten: unique symbol;

/** An object that is written in another shape than the one in which it is read: before defaults are filled in and values transformed. */
export interface WrittenAs<Written> {
  /** Never set: only carries the type. */
  readonly [asWritten]?: Written;
}

type IsAny<T> = 0 extends 1 & T ? true : false;

/** As it is written: what the schema of its kind takes in; without a schema as it is read. */
type Written<T> = typeof asWritten extends keyof T ? NonNullable<T[typeof asWritten]> : T;

/** `any` where nothing is known of that part. */
type Part<T, Name extends string> = Name extends keyof T
  ? unknown extends T[Name]
    ? // biome-ignore lint/suspicious/noExplicitAny: nothing is known of it
      any
    : NonNullable<T[Name]>
  : // biome-ignore lint/suspicious/noExplicitAny: as above
    any;

/** `spec` of a kind, as it is written. */
export type SpecOf<T extends KubeObject> = Part<Written<T>, "spec">;

/** `status` of a kind, as it is written. */
export type StatusOf<T extends KubeObject> = Part<Written<T>, "status">;

/** The same, with every part of it read-only. */
type Frozen<T> = T extends object ? { readonly [K in keyof T]: Frozen<T[K]> } : T;

/**
 * The fields of status that a reconciler has something to say about. Each replaces the stored field of that name; a
 * field that is `undefined` is removed; a field that is not there is left alone. `conditions` and `observedGeneration`
 * belong to the framework and are ignored here, so spreading an old status is safe.
 */
export type StatusFields<T extends KubeObject = DynamicObject> =
  // biome-ignore lint/suspicious/noExplicitAny: nothing is known of the status
  IsAny<StatusOf<T>> extends true ? any : { readonly [K in keyof StatusOf<T>]?: Frozen<StatusOf<T>[K]> | undefined };

/** A JSON merge patch (RFC 7386) of a value: any part of it; `null` removes a field. Lists are replaced as a whole. */
export type MergePatch<T> =
  IsAny<T> extends true
    ? // biome-ignore lint/suspicious/noExplicitAny: nothing is known of the value
      any
    : T extends readonly unknown[]
      ? Frozen<T>
      : T extends object
        ? { [K in keyof T]?: MergePatch<T[K]> | null }
        : T;

/** The keys that were declared by name: an index signature has none. */
type Named<T> = keyof { [K in keyof T as string extends K ? never : number extends K ? never : K]: unknown } & string;

type Depth = readonly [never, 0, 1, 2, 3, 4, 5];

/** `a`, `a.b`, `a.b.c`; anything below what is not known, and below six steps. */
type Paths<T, Left extends number> =
  IsAny<T> extends true
    ? string
    : [Left] extends [never]
      ? string
      : T extends readonly unknown[]
        ? never
        : T extends object
          ? string extends keyof T
            ? string
            : { [K in Named<T>]: K | `${K}.${Paths<NonNullable<T[K & keyof T]>, Depth[Left]>}` }[Named<T>]
          : never;

type RootPaths<T> = { [K in Named<T>]: K | `${K}.${Paths<NonNullable<T[K & keyof T]>, 5>}` }[Named<T>];

/**
 * `spec.size`, one of the fields that the kind has. As steps, `["metadata", "labels", "example.dev/tier"]`, it is not
 * checked: for names with a dot in them, and for fields that the types don't know.
 */
export type FieldPath<T extends KubeObject = DynamicObject> = (IsAny<SpecOf<T>> extends true ? string : RootPaths<T>) | readonly string[];
