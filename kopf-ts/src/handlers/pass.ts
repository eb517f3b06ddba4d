import type { KubeObject } from "../api/object.ts";
import { type Outcome, unchanged } from "../outcome/outcome.ts";
import type { Context } from "../outcome/reconciler.ts";
import type { Change, Reason } from "./context.ts";
import type { ChangeDeclaration } from "./declarations.ts";
import type { Essence } from "./essence.ts";
import type { ObjectPatch, Parts, UnrecordedError } from "./object-patch.ts";
import type { Progress } from "./persistence.ts";

/** A handler and its arguments. */
export interface Selected<T extends KubeObject> {
  readonly declaration: ChangeDeclaration<T>;
  readonly reason: Reason;
  readonly change: Change;
}

/** The result of one pass over the selected handlers. */
export interface Run {
  readonly records: ReadonlyMap<string, Progress>;
  /** Those that were called in this pass. */
  readonly called: ReadonlySet<string>;
  /** Seconds until the next attempt; undefined: all have ended. */
  readonly again: number | undefined;
}

/** Shared by the handlers of one pass while they are called, one after the other. */
export interface Turn {
  patch: ObjectPatch;
  /** Nothing more may begin: the program stops, or a handler did not end in time. */
  isOver: boolean;
  readonly ctx: Context;
}

/** A pass whose handlers have been called: their results and requested changes, to be written. */
export interface Pass<T extends KubeObject> {
  readonly object: T;
  readonly essence: Essence;
  readonly cause: Cause | undefined;
  readonly changed: readonly Selected<T>[];
  readonly resumed: readonly Selected<T>[];
  readonly parts: Parts;
  run: Run;
  resume: Run;
  /** How often it could not be written. */
  failures: number;
  /** Set once the server has accepted (the object; undefined: it no longer exists) or refused the requested changes. */
  answer: { readonly written: T | UnrecordedError | undefined } | undefined;
}

/** Why handlers of changes are called. */
export interface Cause {
  readonly reason: "create" | "update";
  readonly change: Change;
}

/** A negative wait becomes the shortest one. */
export function againIn(seconds: number): Outcome {
  return unchanged().again(Math.max(0.001, seconds));
}
