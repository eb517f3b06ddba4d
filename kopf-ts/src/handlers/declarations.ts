import type { Client } from "../api/client.ts";
import type { Credentials } from "../api/credentials.ts";
import type { KubeObject } from "../api/object.ts";
import type { Resource } from "../api/resource.ts";
import type { Logger } from "../core/logger.ts";
import { checkNumbers, type NumberRule } from "../core/numbers.ts";
import type { RetryOptions } from "./attempt.ts";
import type { HandlerContext } from "./context.ts";
import { stepsOf } from "./diff.ts";
import type { Filters } from "./filters.ts";

/** What a handler returns, if anything, is kept in `status.<id>` (handlers of changes, timers and daemons). */
export type Handler<T extends KubeObject> = (ctx: HandlerContext<T>) => unknown | Promise<unknown>;

/** An event handler receives what happened; `null`: the object existed at the start. */
export type EventHandler<T extends KubeObject> = (
  ctx: HandlerContext<T> & { readonly type: "ADDED" | "MODIFIED" | "DELETED" | null },
) => unknown | Promise<unknown>;

/** Options of every handler of an object. */
export interface HandlerOptions<T extends KubeObject> extends Filters<T>, RetryOptions {
  /**
   * Names the handler in annotations, status, metrics and logs: don't change it between releases. Default: the
   * function's name, else the kind of handler and its field.
   */
  readonly id?: string;
}

/** Options of a delete handler. */
export interface DeletionOptions<T extends KubeObject> extends HandlerOptions<T> {
  /** The object need not wait for it: no finalizer is set for this handler. Default false. */
  readonly optional?: boolean;
}

/** Options of a timer. Times are seconds. */
export interface TimerOptions<T extends KubeObject> extends HandlerOptions<T> {
  /** Seconds from the end of one run to the start of the next. Above zero. */
  readonly interval: number;
  /** Seconds before the first run. Default 0. */
  readonly initialDelay?: number;
  /** Only when the object has not changed for this number of seconds. */
  readonly idle?: number;
  /** Counts the interval from start to start instead; a run that takes longer skips turns and never overlaps itself. */
  readonly sharp?: boolean;
}

/** Options of a daemon. Times are seconds. */
export interface DaemonOptions<T extends KubeObject> extends HandlerOptions<T> {
  /** Seconds before the first run. Default 0. */
  readonly initialDelay?: number;
  /**
   * Seconds that a daemon may take to end once signalled; then it is abandoned and the object's deletion does not wait
   * for it. Default: unlimited.
   */
  readonly cancellationTimeout?: number;
}

export type ChangeKind = "create" | "update" | "resume" | "delete" | "field";

export interface Declaration<T extends KubeObject, Options extends HandlerOptions<T> = HandlerOptions<T>> {
  readonly id: string;
  readonly resource: Resource<T>;
  readonly options: Options;
  readonly field: readonly string[] | undefined;
  readonly run: Handler<T>;
}

export interface ChangeDeclaration<T extends KubeObject> extends Declaration<T, DeletionOptions<T>> {
  readonly kind: ChangeKind;
}

/** All that was registered for one resource. */
export interface ResourceDeclarations<T extends KubeObject> {
  readonly resource: Resource<T>;
  readonly changes: ChangeDeclaration<T>[];
  readonly events: Declaration<T>[];
  readonly timers: Declaration<T, TimerOptions<T>>[];
  readonly daemons: Declaration<T, DaemonOptions<T>>[];
}

/** The argument of a startup, cleanup or probe handler. */
export interface ActivityContext {
  readonly client: Client;
  readonly logger: Logger;
  /** Attempts made before this one. */
  readonly retry: number;
}

/** Options of a startup, cleanup or probe handler. */
export interface ActivityOptions extends RetryOptions {
  readonly id?: string;
}

export interface Activity {
  readonly id: string;
  readonly options: RetryOptions;
  readonly run: (ctx: ActivityContext) => unknown | Promise<unknown>;
}

/** Returns how to reach the API server, or undefined to leave that to the next login handler. */
export type Login = () => Credentials | undefined | Promise<Credentials | undefined>;

/** The requirements of the numbers among the options of handlers and activities. */
export const numberRules: Readonly<Record<string, NumberRule>> = {
  retries: "a limit of attempts",
  timeout: "a limit above zero",
  backoff: "a time, zero or more",
  interval: "a time above zero",
  initialDelay: "a time, zero or more",
  idle: "a time, zero or more",
  cancellationTimeout: "a time, zero or more",
};

/** The declaration of a handler, under an id that no other of its kind and resource has. */
export function declare<T extends KubeObject, Options extends HandlerOptions<T>>(
  kind: string,
  resource: Resource<T>,
  options: Options,
  run: Handler<T>,
  others: readonly { readonly id: string }[],
): Declaration<T, Options> {
  const field = options.field === undefined ? undefined : stepsOf(options.field as string | readonly string[]);
  const id = options.id ?? (run.name || [kind, ...(field ? [fieldText(field)] : [])].join("/"));
  if (others.some((other) => other.id === id)) {
    throw new Error(`${resource.kind} has a handler ${id} already; give this ${kind} handler an id of its own: { id: "…" }`);
  }
  checkNumbers(`${kind} handler ${id} of ${resource.kind}`, options, numberRules);
  return { id, resource, options, field, run };
}

function fieldText(field: string | readonly string[]): string {
  return typeof field === "string" ? field : field.join(".");
}
